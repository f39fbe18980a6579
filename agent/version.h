// Which release of the agent can do what. Simulated computers run older ones: their number says
// what they leave out.
#pragma once

#include <compare>
#include <string>

namespace devicetrust::agent {

struct AgentVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;

  auto operator<=>(const AgentVersion&) const = default;
  std::string Text() const {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
  }
};

inline constexpr AgentVersion kThisVersion{1, 4, 0};

inline constexpr AgentVersion kTakesProxyFrom{1, 2, 1};       // HttpProxy is an option;
inline constexpr AgentVersion kDeviceTaskProxyFrom{1, 2, 2};  // the device task uses it, too.
inline constexpr AgentVersion kForcesRenewalFrom{1, 3, 1};    // --forceRenewal.
inline constexpr AgentVersion kKeysInTpmFrom{1, 4, 1};

}  // namespace devicetrust::agent
