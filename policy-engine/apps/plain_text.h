#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace devicetrust::policy {

// For what a browser sends of itself: printable ASCII, other octets become '?'.
inline std::string ToPlainText(std::string_view text, std::size_t bytes_max) {
  std::string plain(text.substr(0, bytes_max));
  for (char& c : plain) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return plain;
}

}  // namespace devicetrust::policy
