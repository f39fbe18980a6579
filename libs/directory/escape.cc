#include "libs/directory/escape.h"

#include "libs/base/ascii.h"

namespace devicetrust::directory {
namespace {

void AppendEscaped(std::uint8_t byte, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '\\';
  out += kHex[byte >> 4];
  out += kHex[byte & 0x0f];
}

bool IsHarmless(char c) {
  return IsBase64Url(c) || c == '@' || c == '.' || c == ' ' || c == '$' || c == '=' || c == ',';
}

}  // namespace

std::string EscapeFilterValue(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (IsHarmless(c)) {
      out += c;
    } else {
      AppendEscaped(static_cast<std::uint8_t>(c), out);
    }
  }
  return out;
}

std::string EscapeFilterBytes(std::span<const std::uint8_t> value) {
  std::string out;
  out.reserve(value.size() * 3);
  for (const std::uint8_t byte : value) AppendEscaped(byte, out);
  return out;
}

std::string BaseNameOfDomain(std::string_view domain) {
  std::string out = "DC=";
  for (const char c : domain) {
    if (c == '.') {
      out += ",DC=";
    } else if (IsHarmless(c) && c != ',' && c != '=' && c != ' ') {
      out += c;
    } else {
      AppendEscaped(static_cast<std::uint8_t>(c), out);
    }
  }
  return out;
}

}  // namespace devicetrust::directory
