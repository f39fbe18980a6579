// Puts a fleet into the fake forest.
#pragma once

#include <string>
#include <vector>

#include "libs/base/status.h"
#include "simulator/devices/fleet.h"
#include "simulator/forest/forest.h"

namespace devicetrust::simulator {

// The account that the org's directory client searches with.
struct DirectoryAccount {
  std::string principal;  // "svc-directory@corp.test"
  std::string password;
};

// Adds groups, people, domain-joined computers and the directory account; returns each user's
// SID, in the fleet's order. Errors: those of AccountTable.
absl::StatusOr<std::vector<std::string>> PopulateForest(Forest& forest, const Fleet& fleet,
                                                        const DirectoryAccount& directory);

}  // namespace devicetrust::simulator
