// Times as text, always UTC: the common part of RFC 3339 and xs:dateTime (SAML core, 1.3.3).
#pragma once

#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace devicetrust {

std::string FormatUtc(WallTime time);  // "2026-01-02T03:04:05Z"

// That form, with or without a fraction of up to nine digits, which is dropped.
// kInvalidArgument for any other. Years beyond what WallTime holds become the nearest that it
// does: "9999-12-31T23:59:59Z" is a way to say "for ever".
absl::StatusOr<WallTime> ParseUtc(std::string_view text);

}  // namespace devicetrust
