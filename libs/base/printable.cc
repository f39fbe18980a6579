#include "libs/base/printable.h"

#include <fmt/format.h>

#include "libs/base/encoding.h"

namespace devicetrust {
namespace {

// Of one well-formed sequence (RFC 3629).
char32_t CodePointOf(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first;
  char32_t c = first & (0x7FU >> sequence.size());
  for (const char octet : sequence.substr(1)) {
    c = c << 6 | (static_cast<unsigned char>(octet) & 0x3FU);
  }
  return c;
}

std::string WithoutHidden(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    const std::string_view character = text.substr(0, length);
    const char32_t c = CodePointOf(character);
    if (IsHiddenCharacter(c) && kept.find(character) == kept.npos) {
      out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
    } else {
      out += character;
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string Printable(std::string_view text) { return WithoutHidden(text, ""); }
std::string PrintableLines(std::string_view text) { return WithoutHidden(text, "\n"); }
std::string PrintableJson(std::string_view json) { return WithoutHidden(json, "\n\r\t"); }

}  // namespace devicetrust
