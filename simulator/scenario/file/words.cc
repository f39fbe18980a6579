#include "simulator/scenario/file/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace devicetrust::simulator {
namespace {

// Levenshtein's: letters put in, taken out or changed.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

}  // namespace

std::string NearestWord(std::string_view word, const std::vector<std::string>& known) {
  constexpr std::size_t kWordMax = 64;  // The distance of longer ones costs, and says nothing.
  if (word.size() > kWordMax) return "";
  std::string nearest;
  std::size_t least = std::max<std::size_t>(1, word.size() / 2) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  const std::string nearest = NearestWord(word, known);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

absl::StatusOr<std::chrono::nanoseconds> ParseLength(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double seconds = unit == "ms"  ? number / 1000
                         : unit == "s" ? number
                         : unit == "m" ? number * 60
                         : unit == "h" ? number * 3600
                                       : -1;
  if (error != std::errc{} || !std::isfinite(number) || seconds < 0 || seconds > 86'400) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no length of time: write 250ms, 5s, 2m or 1h, at most 24h", text));
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
}

std::string LengthText(std::chrono::nanoseconds length) {
  const double seconds = std::chrono::duration<double>(length).count();
  return seconds < 1 ? fmt::format("{:g}ms", seconds * 1000) : fmt::format("{:g}s", seconds);
}

}  // namespace devicetrust::simulator
