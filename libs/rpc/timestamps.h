// Times in messages.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>

#include "libs/base/clock.h"

namespace devicetrust::rpc {

inline google::protobuf::Timestamp ToTimestamp(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds.time_since_epoch().count());
  timestamp.set_nanos(static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time - seconds).count()));
  return timestamp;
}

// Of any sender: what WallTime does not hold, or has impossible nanoseconds, becomes the
// epoch, which is older than every limit that we compare with.
inline WallTime FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  if (timestamp.seconds() < -kWallSecondsMax || timestamp.seconds() > kWallSecondsMax ||
      timestamp.nanos() < 0 || timestamp.nanos() > 999'999'999) {
    return WallTime();
  }
  return WallTime(std::chrono::duration_cast<WallTime::duration>(
      std::chrono::seconds(timestamp.seconds()) + std::chrono::nanoseconds(timestamp.nanos())));
}

}  // namespace devicetrust::rpc
