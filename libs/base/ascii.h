// Characters as protocols mean them: ASCII octets, whatever the locale. For char and
// std::string_view, which Abseil's functions of this kind do not take; pure and thread-safe.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace devicetrust {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool IsAlpha(char c) { return IsLower(c) || IsUpper(c); }
constexpr bool IsAlnum(char c) { return IsAlpha(c) || IsDigit(c); }
constexpr char ToLower(char c) { return IsUpper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr char ToUpper(char c) { return IsLower(c) ? static_cast<char>(c - 'a' + 'A') : c; }
constexpr bool IsHexDigit(char c) { return IsDigit(c) || (ToLower(c) >= 'a' && ToLower(c) <= 'f'); }

inline std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = ToLower(c);
  return lower;
}
inline bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, ToLower, ToLower);
}

// 0 to 15, or -1: no hex digit.
constexpr int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  return IsHexDigit(c) ? ToLower(c) - 'a' + 10 : -1;
}

// The alphabet of base64url without padding (RFC 4648, section 5).
constexpr bool IsBase64Url(char c) { return IsAlnum(c) || c == '-' || c == '_'; }

// Octets below 0x20, and DEL: what must not get into a line that somebody reads. Octets of UTF-8
// beyond ASCII are none of these.
constexpr bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
inline bool HasControl(std::string_view text) { return std::ranges::any_of(text, IsControl); }

// Printable ASCII without the blank, as in tokens and URLs.
constexpr bool IsVisible(char c) { return c > 0x20 && c < 0x7f; }

// `text` is not empty and every character is of the class: `IsAll(text, IsDigit)`.
template <typename Class>
bool IsAll(std::string_view text, Class is_of_class) {
  return !text.empty() && std::ranges::all_of(text, is_of_class);
}

}  // namespace devicetrust
