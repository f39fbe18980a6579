#include "libs/qr/qr_code.h"

#include <fmt/format.h>
#include <qrencode.h>

#include <memory>

namespace devicetrust::qr {
namespace {

constexpr int kQuiet = 4;

}  // namespace

absl::StatusOr<QrCode> MakeQrCode(std::string_view text) {
  if (text.empty() || text.size() > kTextBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("a QR code holds 1 to {} bytes, not {}", kTextBytesMax, text.size()));
  }
  const std::unique_ptr<QRcode, void (*)(QRcode*)> made(
      QRcode_encodeData(static_cast<int>(text.size()),
                        reinterpret_cast<const unsigned char*>(text.data()), /*version=*/0,
                        QR_ECLEVEL_M),
      &QRcode_free);
  if (made == nullptr) return absl::ResourceExhaustedError("no memory for a QR code");
  QrCode code;
  code.size = made->width;
  const auto count = static_cast<std::size_t>(code.size) * static_cast<std::size_t>(code.size);
  for (std::size_t i = 0; i < count; ++i) code.dark.push_back((made->data[i] & 1U) != 0);
  return code;
}

std::string ToSvg(const QrCode& code) {
  const int side = code.size + 2 * kQuiet;
  std::string path;
  for (int y = 0; y < code.size; ++y) {
    for (int x = 0; x < code.size; ++x) {
      if (!code.IsDark(x, y) || code.IsDark(x - 1, y)) continue;
      int width = 1;
      while (code.IsDark(x + width, y)) ++width;
      path += fmt::format("M{} {}h{}v1h-{}z", x + kQuiet, y + kQuiet, width, width);
    }
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" role=\"img\""
      " aria-label=\"QR code\" shape-rendering=\"crispEdges\"><rect width=\"{0}\" height=\"{0}\""
      " fill=\"#fff\"/><path fill=\"#000\" d=\"{1}\"/></svg>",
      side, path);
}

std::string ToTerminal(const QrCode& code) {
  constexpr std::string_view kBlocks[] = {" ", "\xe2\x96\x80", "\xe2\x96\x84", "\xe2\x96\x88"};
  std::string text;
  for (int y = -kQuiet; y < code.size + kQuiet; y += 2) {
    text += "\x1b[30;107m";  // Black on white.
    for (int x = -kQuiet; x < code.size + kQuiet; ++x) {
      text += kBlocks[(code.IsDark(x, y) ? 1 : 0) + (code.IsDark(x, y + 1) ? 2 : 0)];
    }
    text += "\x1b[0m\n";
  }
  return text;
}

}  // namespace devicetrust::qr
