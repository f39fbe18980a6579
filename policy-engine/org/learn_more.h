#pragma once

#include <string_view>

#include "libs/base/status.h"

namespace devicetrust::policy {

inline constexpr std::size_t kLearnMoreBytesMax = 2048;

// Checks the address behind "Learn more" (ORG-1): an absolute https URL whose host is a
// public DNS name, so that people anywhere reach it: no IP address in any notation, no single
// label, nothing under .localhost; no user name, no white space or
// control characters. It is shown, never fetched. kInvalidArgument says what is wrong.
absl::Status ValidateLearnMoreUrl(std::string_view url);

// A DNS name of two or more labels (RFC 1123, section 2.1), at most 253 bytes.
bool IsDnsName(std::string_view name);

}  // namespace devicetrust::policy
