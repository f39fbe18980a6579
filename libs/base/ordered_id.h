// Time-ordered identifiers, in the manner of UUIDv7 and ULID: they sort by when they were made.
#pragma once

#include <cstddef>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust {

// The milliseconds since 1970 in 6 octets, then random ones up to `octets` in all (8 to 64), in
// lower-case hex. As a number: positive, and without a leading zero octet.
//
// Identifiers made together lie side by side in an index, so that a store writes a page for many
// of them instead of one for each. They tell when they were made: not for what must not.
absl::StatusOr<std::string> NewOrderedId(std::size_t octets, WallTime now, Random& random);

}  // namespace devicetrust
