#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace devicetrust::policy {

// At most `bytes_max` of UTF-8 text, never half a character: what a protobuf string that is
// parsed again may hold.
inline std::string CutText(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    // Back to the first byte of the character that does not fit.
    while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) {
      --bytes_max;
    }
    text = text.substr(0, bytes_max);
  }
  return std::string(text);
}

// For what a browser sends of itself: printable ASCII, other octets become '?'.
inline std::string ToPlainText(std::string_view text, std::size_t bytes_max) {
  std::string plain(text.substr(0, bytes_max));
  for (char& c : plain) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  return plain;
}

}  // namespace devicetrust::policy
