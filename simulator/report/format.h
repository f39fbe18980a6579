// How figures look to people: thousands separators, units, a bar.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace devicetrust::simulator {

std::string Thousands(std::uint64_t number);                     // 3120 -> "3,120"
std::string Plural(std::uint64_t count, std::string_view noun);  // "1 device", "1,000 devices"

// Milliseconds below a minute's tenth, else seconds, two or three figures, padded to a
// constant width of 7: "0.84 ms", "  38 ms", " 1.2 s ".
std::string Latency(std::chrono::microseconds value);

std::string Rate(double per_second);          // "640/s", "9.4/s", "12,400/s"
std::string Mebibytes(std::uint64_t bytes);   // "412 MiB"
std::string Bar(double fraction, int cells);  // Of `cells` characters, UTF-8.

// A moment since the start of a story, "12.4 ms".
std::string StoryTime(std::chrono::microseconds since_start);

// Columns on a terminal: UTF-8 continuation bytes take none.
std::size_t Columns(const std::string& text);
// Pads with spaces to `width` columns.
std::string PadRight(std::string text, std::size_t width);
std::string PadLeft(std::string text, std::size_t width);

// As one word for a shell: in quotes only when it needs them.
std::string ShellQuoted(const std::string& word);

// Colour for state, never alone. Enabled only on a terminal and without NO_COLOR.
struct Style {
  bool terminal = false;  // Lines may be redrawn in place.
  bool colour = false;
  int columns = 100;  // Of the terminal: a line that wraps can't be redrawn in place.

  // Looks at file descriptor `fd`, TERM and NO_COLOR (https://no-color.org).
  static Style Of(int fd);

  std::string Good(const std::string& text) const;
  std::string Bad(const std::string& text) const;
  std::string Dim(const std::string& text) const;
  std::string Bold(const std::string& text) const;
};

}  // namespace devicetrust::simulator
