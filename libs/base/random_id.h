// Identifiers that nobody can guess and that tell nothing, not even when they were made. Those
// that may tell, and whose rows should lie together, are of ordered_id.h.
#pragma once

#include <cstddef>
#include <string>

#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust {

// 128 random bits as 22 characters of base64url. Errors: those of `random`, as for the next.
absl::StatusOr<std::string> NewRandomId(Random& random);

// `octets` random octets in lower-case hex, where an alphabet of letters and digits is wanted.
absl::StatusOr<std::string> NewRandomHex(std::size_t octets, Random& random);

}  // namespace devicetrust
