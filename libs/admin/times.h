// Times as an administrator types and reads them. All in UTC.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace google::protobuf {
class Timestamp;
}

namespace devicetrust::admin {

// "90s", "15m", "2h", "7d" (that long before `now`), "2026-11-24" or
// "2026-11-24T08:00:00Z". kInvalidArgument names what was typed and the forms.
absl::StatusOr<WallTime> ParseTime(std::string_view text, WallTime now);

// "2026-11-24 08:00:00Z"; "-" when the time is not set.
std::string FormatTime(const google::protobuf::Timestamp& time);

}  // namespace devicetrust::admin
