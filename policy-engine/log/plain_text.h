#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libs/base/ascii.h"

namespace devicetrust::policy {

// For what a browser sends of itself: printable ASCII, other octets become '?'.
inline std::string ToPlainText(std::string_view text, std::size_t bytes_max) {
  std::string plain(text.substr(0, bytes_max));
  for (char& c : plain) {
    if (!IsVisible(c) && c != ' ') c = '?';
  }
  return plain;
}

}  // namespace devicetrust::policy
