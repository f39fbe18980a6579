// Text that somebody else chose, shown on a terminal or in a line of a log.
#pragma once

#include <string>
#include <string_view>

namespace devicetrust {

// Characters that act instead of being seen: controls (C0, DEL, C1), the bidirectional controls of
// Unicode (property Bidi_Control, UAX #9) and its line and paragraph separators. A terminal obeys
// them, so a name that holds one can hide or rewrite what stands around it.
constexpr bool IsHiddenCharacter(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

// `text` as one line: hidden characters as \u202e, octets that are no UTF-8 as U+FFFD. JsonQuote()
// (encoding.h) does the same, so lines of the log need no more.
std::string Printable(std::string_view text);

// The same for text of several lines that were made printable one by one or by a library: line
// feeds stay. Who knows the parts uses Printable() for each: a name must not begin a line.
std::string PrintableLines(std::string_view text);

// JSON (RFC 8259) with the hidden characters of its strings as \u202e: the same value. White space
// between its tokens stays.
std::string PrintableJson(std::string_view json);

}  // namespace devicetrust
