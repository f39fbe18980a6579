// One sign-in that holds what it says: a case that somebody writes down, or an example that an
// analysis gives.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {

struct SignIn {
  std::string user_id;    // Empty: somebody whom no rule names.
  std::string principal;  // For people; may be empty.
  std::vector<std::string> groups;
  std::optional<IpAddress> address;  // nullopt: unknown.
  ClientKind client = ClientKind::kUnknown;
  Platform claimed_platform = Platform::kUnknown;
  std::optional<Platform> verified_platform;
  Trust trust = Trust::kNotTrusted;
  std::chrono::seconds authenticated_ago{0};       // The password of this session.
  std::optional<std::chrono::seconds> factor_ago;  // The last factor; nullopt: none yet.

  // Borrows from this. `now`: any; outcomes depend on the ages alone.
  Facts facts(WallTime now = WallTime{std::chrono::days{20'000}}) const;

  // "a member of Sales, from 10.0.0.1, web browser on Windows, device not trusted"; the ages where
  // they are not the usual ones.
  std::string Describe() const;
};

}  // namespace devicetrust::policy
