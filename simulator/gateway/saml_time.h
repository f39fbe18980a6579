// xs:dateTime in UTC, as SAML writes it (SAML core, section 1.3.3).
#pragma once

#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust::gateway {

std::string FormatSamlTime(WallTime time);  // 2026-01-02T03:04:05Z
// With or without a fraction of up to nine digits, which is dropped; "Z" only.
absl::StatusOr<WallTime> ParseSamlTime(std::string_view text);

}  // namespace devicetrust::gateway
