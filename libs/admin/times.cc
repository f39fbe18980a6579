#include "libs/admin/times.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "libs/base/utc_time.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::admin {
namespace {

constexpr std::int64_t kAgoMax = 36'500;  // In any unit: a hundred years of days.

std::chrono::seconds UnitOf(char letter) {
  switch (letter) {
    case 's':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::minutes(1);
    case 'h':
      return std::chrono::hours(1);
    case 'd':
      return std::chrono::days(1);
    default:
      return std::chrono::seconds(0);
  }
}

}  // namespace

absl::StatusOr<WallTime> ParseTime(std::string_view text, WallTime now) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool one_letter_left = error == std::errc() && end == text.data() + text.size() - 1;
  if (one_letter_left && count >= 0 && count <= kAgoMax && UnitOf(*end).count() > 0) {
    return now - count * UnitOf(*end);
  }

  std::string full(text);
  if (full.size() == 10) full += "T00:00:00Z";
  const auto parsed = ParseUtc(full);
  if (parsed.ok()) return *parsed;
  return absl::InvalidArgumentError(fmt::format(
      "\"{}\" is not a time; write 90s, 15m, 2h, 7d, 2026-11-24 or 2026-11-24T08:00:00Z", text));
}

std::string FormatTime(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  std::string text = FormatUtc(rpc::FromTimestamp(time));
  text[text.find('T')] = ' ';
  return text;
}

}  // namespace devicetrust::admin
