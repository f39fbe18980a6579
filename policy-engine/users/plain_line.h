#pragma once

#include <cstddef>
#include <string_view>

#include "libs/base/ascii.h"

namespace devicetrust::policy {

inline constexpr std::size_t kLineBytesMax = 256;

// Text on one line without control characters, at most kLineBytesMax bytes: groups are stored one
// a line, and names are shown.
inline bool IsPlainLine(std::string_view text) {
  return text.size() <= kLineBytesMax && !HasControl(text);
}

}  // namespace devicetrust::policy
