// The apps of a scenario with their rules: by name with rules for all, or as a policy that dtctl
// exported.
#pragma once

#include <string>
#include <vector>

#include "libs/base/status.h"
#include "simulator/scenario/file/scenario_spec.h"
#include "simulator/scenario/file/section.h"

namespace devicetrust::simulator {

// Fills `apps` and `zones` of `spec`. Errors: as ParseScenario().
absl::Status ReadApps(const std::string& file_name, const Section& file, ScenarioSpec& spec);

absl::Status ReadRules(const std::string& file_name, const YamlNode& node,
                       std::vector<org::v1::Rule>& rules);

}  // namespace devicetrust::simulator
