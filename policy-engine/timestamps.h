// Times at the edges: protobuf timestamps in messages, whole milliseconds in tables whose
// order or freshness people look at.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>

#include "libs/base/clock.h"

namespace devicetrust::policy {

inline std::int64_t UnixMillis(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

inline WallTime FromUnixMillis(std::int64_t millis) {
  return WallTime(std::chrono::milliseconds(millis));
}

inline google::protobuf::Timestamp ToTimestamp(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds.time_since_epoch().count());
  timestamp.set_nanos(static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time - seconds).count()));
  return timestamp;
}

// Of any sender: what is outside the years 1 to 9999, or has impossible nanoseconds, becomes
// the epoch, which is older than every limit we compare with.
inline WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  constexpr std::int64_t kSecondsMin = -9'000'000'000;  // What WallTime's nanoseconds hold.
  constexpr std::int64_t kSecondsMax = 9'000'000'000;
  if (timestamp.seconds() < kSecondsMin || timestamp.seconds() > kSecondsMax ||
      timestamp.nanos() < 0 || timestamp.nanos() > 999'999'999) {
    return WallTime();
  }
  return WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(timestamp.seconds()) + std::chrono::nanoseconds(timestamp.nanos())));
}

}  // namespace devicetrust::policy
