#pragma once

#include <chrono>

namespace devicetrust::policy {

// A session is over this long after its password, whatever happened in it. Gateways learn the
// moment with each session (StartSessionResponse.expires_at).
inline constexpr std::chrono::hours kSessionLifetime{12};

}  // namespace devicetrust::policy
