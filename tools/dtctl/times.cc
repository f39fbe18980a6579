#include "tools/dtctl/times.h"

#include <fmt/format.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <charconv>
#include <chrono>

namespace devicetrust::ctl {
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
  google::protobuf::Timestamp parsed;
  if (google::protobuf::util::TimeUtil::FromString(full, &parsed)) {
    return WallTime(std::chrono::seconds(parsed.seconds()));
  }
  return absl::InvalidArgumentError(fmt::format(
      "\"{}\" is no time; write 90s, 15m, 2h, 7d, 2026-11-24 or 2026-11-24T08:00:00Z", text));
}

std::string FormatTime(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "-";
  google::protobuf::Timestamp seconds;
  seconds.set_seconds(time.seconds());
  std::string text = google::protobuf::util::TimeUtil::ToString(seconds);
  if (text.size() > 10) text[10] = ' ';
  return text;
}

void SetTimestamp(WallTime time, google::protobuf::Timestamp* out) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  out->set_seconds(seconds.time_since_epoch().count());
  out->set_nanos(static_cast<std::int32_t>(std::chrono::nanoseconds(time - seconds).count()));
}

}  // namespace devicetrust::ctl
