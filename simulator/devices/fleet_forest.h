// Puts a fleet into its forests.
#pragma once

#include <string>
#include <vector>

#include "libs/base/status.h"
#include "simulator/devices/fleet.h"
#include "simulator/forest/forests.h"

namespace devicetrust::simulator {

// The account of each domain that directory clients search with: "svc-directory@corp.test".
inline constexpr const char* kDirectoryAccount = "svc-directory";

// Adds to each domain its groups, people, computers and the directory account with that password;
// returns each user's SID, in the fleet's order. `forests` was made of those of the fleet. Errors:
// those of AccountTable.
absl::StatusOr<std::vector<std::string>> PopulateForests(Forests& forests, const Fleet& fleet,
                                                         const std::string& directory_password);

}  // namespace devicetrust::simulator
