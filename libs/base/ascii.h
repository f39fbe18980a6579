// Characters as protocols mean them: ASCII octets, whatever the locale. Letters and digits are
// Abseil's (absl::ascii_isdigit, absl::AsciiStrToLower); here is what Abseil lacks.
#pragma once

#include <absl/strings/ascii.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace devicetrust {

inline bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }
inline bool IsAlpha(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }
inline bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
inline bool IsHexDigit(char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); }
inline char ToLower(char c) { return absl::ascii_tolower(static_cast<unsigned char>(c)); }

// 0 to 15, or -1: no hex digit.
inline int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  return IsHexDigit(c) ? ToLower(c) - 'a' + 10 : -1;
}

// The alphabet of base64url without padding (RFC 4648, section 5).
inline bool IsBase64Url(char c) { return IsAlnum(c) || c == '-' || c == '_'; }

// Octets below 0x20, and DEL: what must not get into a line that somebody reads. Octets of UTF-8
// beyond ASCII are none of these.
inline bool IsControl(char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }
inline bool HasControl(std::string_view text) { return std::ranges::any_of(text, IsControl); }

// Printable ASCII without the blank, as in tokens and URLs.
inline bool IsVisible(char c) { return c > 0x20 && c < 0x7f; }

// `text` is not empty and every character is of the class: `IsAll(text, IsDigit)`.
template <typename Class>
bool IsAll(std::string_view text, Class is_of_class) {
  return !text.empty() && std::ranges::all_of(text, is_of_class);
}

}  // namespace devicetrust
