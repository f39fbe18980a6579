// xs:dateTime as SAML uses it: always UTC, "2026-11-24T08:00:00Z" (saml-core-2.0, 1.3.3).
#pragma once

#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::simulator {

std::string FormatSamlTime(WallTime time);
// Fractions of a second are read and dropped. kInvalidArgument for any other form.
absl::StatusOr<WallTime> ParseSamlTime(std::string_view text);

}  // namespace devicetrust::simulator
