#include "simulator/apps/saml_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace devicetrust::simulator {
namespace {

// The `digits` decimal digits at `at`; -1 for anything else.
int Digits(std::string_view text, std::size_t at, std::size_t digits) {
  int value = -1;
  if (at + digits > text.size()) return -1;
  const std::string_view part = text.substr(at, digits);
  if (part.find_first_not_of("0123456789") != std::string_view::npos) return -1;
  std::from_chars(part.data(), part.data() + part.size(), value);
  return value;
}

}  // namespace

std::string FormatSamlTime(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

absl::StatusOr<WallTime> ParseSamlTime(std::string_view text) {
  const absl::Status wrong =
      absl::InvalidArgumentError("time is not of the form 2026-01-31T08:00:00Z");
  if (text.size() < 20 || text.size() > 40 || text.back() != 'Z') return wrong;
  for (const auto& [at, mark] :
       {std::pair<std::size_t, char>{4, '-'}, {7, '-'}, {10, 'T'}, {13, ':'}, {16, ':'}}) {
    if (text[at] != mark) return wrong;
  }
  const std::string_view rest = text.substr(19, text.size() - 20);
  if (!rest.empty() && (rest.front() != '.' || rest.size() < 2 ||
                        rest.find_first_not_of("0123456789", 1) != std::string_view::npos)) {
    return wrong;
  }
  const int parts[] = {Digits(text, 0, 4),  Digits(text, 5, 2),  Digits(text, 8, 2),
                       Digits(text, 11, 2), Digits(text, 14, 2), Digits(text, 17, 2)};
  if (std::any_of(std::begin(parts), std::end(parts), [](int part) { return part < 0; }))
    return wrong;
  const std::chrono::year_month_day date{std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return wrong;
  return std::chrono::sys_days(date) + std::chrono::hours(parts[3]) +
         std::chrono::minutes(parts[4]) + std::chrono::seconds(parts[5]);
}

}  // namespace devicetrust::simulator
