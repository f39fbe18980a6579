#pragma once

#include <chrono>

#include "devicetrust/org/v1/settings.pb.h"

namespace devicetrust::policy {

// How long a session lasts where an admin has not said otherwise, counted from its password.
// Gateways learn the moment with each session (StartSessionResponse.expires_at).
inline constexpr std::chrono::hours kSessionLifetime{12};
// What an admin may say. The CA keeps a revoked certificate for longer than that after its end
// (ca-service/revoked_set.h): a session that it proved is over for as long.
inline constexpr std::chrono::minutes kSessionLimitMin{5};
inline constexpr std::chrono::days kSessionLimitMax{7};

struct SessionLimits {
  std::chrono::seconds lifetime = kSessionLifetime;
  std::chrono::seconds idle{0};  // Zero: sessions do not end by being left alone.
};

inline SessionLimits SessionLimitsOf(const org::v1::OrgSettings& settings) {
  SessionLimits limits;
  if (settings.has_session_lifetime()) {
    limits.lifetime = std::chrono::seconds(settings.session_lifetime().seconds());
  }
  limits.idle = std::chrono::seconds(settings.session_idle_timeout().seconds());
  return limits;
}

}  // namespace devicetrust::policy
