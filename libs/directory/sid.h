// Windows security identifiers: text S-1-5-21-…, binary as in objectSid ([MS-DTYP] 2.4.2).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust::directory {

// Both are strict: revision 1, 1 to 15 sub-authorities, no bytes or characters left
// over, no leading zeros. kInvalidArgument otherwise.
absl::StatusOr<std::string> SidToText(std::span<const std::uint8_t> binary);
absl::StatusOr<Bytes> SidFromText(std::string_view text);

}  // namespace devicetrust::directory
