#pragma once

#include <cstdint>

#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust::throwaway {

// A TCP port of 127.0.0.1 that is free now, for a program that listens there later: from below
// the range that the kernel gives to outgoing connections, so that none of those takes it
// meanwhile. kResourceExhausted when a hundred in a row were taken.
absl::StatusOr<std::uint16_t> FreePort(Random& random);

}  // namespace devicetrust::throwaway
