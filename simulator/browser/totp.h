// The user's authenticator app: RFC 6238 with SHA-1, six digits, 30 s.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "libs/base/clock.h"

namespace devicetrust::simulator {

std::string TotpCode(std::span<const std::uint8_t> secret, WallTime now);

}  // namespace devicetrust::simulator
