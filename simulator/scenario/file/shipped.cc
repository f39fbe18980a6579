#include <fmt/format.h>

#include <filesystem>

#include "libs/base/files.h"
#include "simulator/scenario/file/scenario_file.h"
#include "simulator/scenario/file/shipped_table.h"
#include "simulator/scenario/file/words.h"

namespace devicetrust::simulator {

const std::vector<ShippedScenario>& ShippedScenarios() {
  static const std::vector<ShippedScenario> scenarios = [] {
    std::vector<ShippedScenario> list;
    for (const ShippedEntry& entry : ShippedTable()) {
      list.push_back({std::string(entry.name), std::string(entry.text)});
    }
    return list;
  }();
  return scenarios;
}

const ShippedScenario* FindShipped(std::string_view name) {
  for (const ShippedScenario& scenario : ShippedScenarios()) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

absl::StatusOr<ScenarioSpec> LoadScenario(const std::string& file_or_name) {
  const std::string name = file_or_name.empty() ? "quick-start" : file_or_name;
  std::error_code error;
  if (file_or_name.empty() || !std::filesystem::exists(name, error)) {
    if (const ShippedScenario* const shipped = FindShipped(name)) {
      return ParseScenario(shipped->name, shipped->text);
    }
    std::vector<std::string> names;
    for (const ShippedScenario& one : ShippedScenarios()) names.push_back(one.name);
    return absl::InvalidArgumentError(
        fmt::format("there is no file {0}, and no scenario of that name ships{1}\n        "
                    "dt-sim scenarios lists those that ship.",
                    name, DidYouMean(name, names)));
  }
  absl::StatusOr<std::string> text = ReadFile(name);
  if (!text.ok()) return absl::InvalidArgumentError(std::string(text.status().message()));
  return ParseScenario(name, *text);
}

}  // namespace devicetrust::simulator
