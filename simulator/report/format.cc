#include "simulator/report/format.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace devicetrust::simulator {
namespace {

bool BeginsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

std::string Coloured(bool enabled, const char* code, const std::string& text) {
  return enabled ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

}  // namespace

std::string Thousands(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string Plural(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", Thousands(count), noun, count == 1 ? "" : "s");
}

std::string Latency(std::chrono::microseconds value) {
  const double ms = static_cast<double>(value.count()) / 1000;
  if (ms >= 9999.5) return fmt::format("{:4.0f} s ", ms / 1000);
  if (ms >= 999.5) return fmt::format("{:4.1f} s ", ms / 1000);
  if (ms >= 9.995) return fmt::format("{:4.0f} ms", ms);
  return fmt::format("{:4.2f} ms", ms);
}

std::string Rate(double per_second) {
  if (per_second < 9.95) return fmt::format("{:.1f}/s", per_second);
  return Thousands(static_cast<std::uint64_t>(std::llround(per_second))) + "/s";
}

std::string Mebibytes(std::uint64_t bytes) {
  return fmt::format("{} MiB", Thousands((bytes + (1u << 19)) >> 20));
}

std::string Bar(double fraction, int cells) {
  const auto full = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * cells));
  std::string bar;
  for (int i = 0; i < cells; ++i) bar += i < full ? "█" : "░";
  return bar;
}

std::string StoryTime(std::chrono::microseconds since_start) {
  return fmt::format("{:7.1f} ms", static_cast<double>(since_start.count()) / 1000);
}

std::size_t Columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

std::string PadRight(std::string text, std::size_t width) {
  const std::size_t columns = Columns(text);
  if (columns < width) text.append(width - columns, ' ');
  return text;
}

std::string PadLeft(std::string text, std::size_t width) {
  const std::size_t columns = Columns(text);
  if (columns < width) text.insert(0, width - columns, ' ');
  return text;
}

std::string ShellQuoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

Style Style::Of(int fd) {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  Style style;
  style.terminal = isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = size.ws_col;
  style.colour = style.terminal && (no_color == nullptr || *no_color == '\0');
  return style;
}

std::string Style::Good(const std::string& text) const { return Coloured(colour, "32", text); }
std::string Style::Bad(const std::string& text) const { return Coloured(colour, "31", text); }
std::string Style::Dim(const std::string& text) const { return Coloured(colour, "2", text); }
std::string Style::Bold(const std::string& text) const { return Coloured(colour, "1", text); }

}  // namespace devicetrust::simulator
