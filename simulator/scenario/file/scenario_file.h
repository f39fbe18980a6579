// Scenario files. A file is parsed once, into a ScenarioSpec that nothing has to check again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "simulator/scenario/file/scenario_spec.h"

namespace devicetrust::simulator {

inline constexpr int kScenarioFileVersion = 1;

// kInvalidArgument "FILE:LINE:COLUMN: what\n        remedy": the first thing that is wrong, with
// the nearest known word for one that is unknown. `policy: NAME` is read from beside `file`.
absl::StatusOr<ScenarioSpec> ParseScenario(const std::string& file, std::string_view text);

// One that is part of the program.
struct ShippedScenario {
  std::string name;  // "quick-start"
  std::string text;
};
const std::vector<ShippedScenario>& ShippedScenarios();     // "quick-start" first, then by name.
const ShippedScenario* FindShipped(std::string_view name);  // Null: there is none.

// The file at that path, or the shipped one of that name; "" is the quick start. kInvalidArgument:
// as ParseScenario(), or there is neither, with the nearest name.
absl::StatusOr<ScenarioSpec> LoadScenario(const std::string& file_or_name);

// "1,000 devices, 4 apps; enroll, first app, next apps; 1 fault, 3 thresholds".
std::string ScenarioText(const ScenarioSpec& spec);

}  // namespace devicetrust::simulator
