// QR codes (ISO/IEC 18004) of short texts, for pages and terminals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::qr {

inline constexpr std::size_t kTextBytesMax = 1000;

// Its modules, without the quiet zone of four that the drawings below have around them.
struct QrCode {
  int size = 0;            // Modules a side.
  std::vector<bool> dark;  // Row by row.
  bool IsDark(int x, int y) const {
    return x >= 0 && y >= 0 && x < size && y < size &&
           dark[static_cast<std::size_t>(y) * static_cast<std::size_t>(size) +
                static_cast<std::size_t>(x)];
  }
};

// Error correction of level M. kInvalidArgument: no text, or more than kTextBytesMax.
absl::StatusOr<QrCode> MakeQrCode(std::string_view text);

// As a stand-alone SVG image, to be put into a page as it is: no script, no style, no address.
std::string ToSvg(const QrCode& code);

// In lines of half blocks, dark on light whatever the terminal's colors are.
std::string ToTerminal(const QrCode& code);

}  // namespace devicetrust::qr
