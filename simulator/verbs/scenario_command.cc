#include "simulator/verbs/scenario_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "simulator/report/format.h"
#include "simulator/scenario/file/scenario_file.h"
#include "simulator/scenario/file/scenario_keys.h"
#include "simulator/scenario/file/words.h"

namespace devicetrust::simulator {
namespace {

void PutLine(std::FILE* out, const std::string& text) { std::fputs((text + "\n").c_str(), out); }

absl::Status PrintShipped(const std::string& name, std::FILE* out) {
  if (const ShippedScenario* const scenario = FindShipped(name)) {
    std::fputs(scenario->text.c_str(), out);
    return absl::OkStatus();
  }
  std::vector<std::string> names;
  for (const ShippedScenario& scenario : ShippedScenarios()) names.push_back(scenario.name);
  return absl::InvalidArgumentError(
      fmt::format("no scenario \"{}\" ships{}\n        dt-sim scenarios "
                  "lists those that do.",
                  name, DidYouMean(name, names)));
}

}  // namespace

absl::Status ListScenarios(const ScenariosOptions& options, std::FILE* out) {
  if (options.schema) {
    std::fputs(ScenarioSchema().c_str(), out);
    return absl::OkStatus();
  }
  if (options.metrics) {
    for (const std::string& metric : ThresholdMetrics()) PutLine(out, metric);
    return absl::OkStatus();
  }
  if (!options.name.empty()) return PrintShipped(options.name, out);
  std::size_t widest = 0;
  for (const ShippedScenario& scenario : ShippedScenarios()) {
    widest = std::max(widest, scenario.name.size());
  }
  for (const ShippedScenario& scenario : ShippedScenarios()) {
    DT_ASSIGN_OR_RETURN(const ScenarioSpec spec, ParseScenario(scenario.name, scenario.text));
    PutLine(out, fmt::format("{}   {}", PadRight(scenario.name, widest), spec.title));
  }
  PutLine(out, "\ndt-sim scenarios NAME prints one, dt-sim run NAME runs it.");
  return absl::OkStatus();
}

absl::Status CheckScenario(const std::string& file_or_name, std::FILE* out) {
  DT_ASSIGN_OR_RETURN(const ScenarioSpec spec, LoadScenario(file_or_name));
  PutLine(out, fmt::format("{}: good. {}: {}", spec.file, spec.title, ScenarioText(spec)));
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
