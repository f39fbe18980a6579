// `dt-sim scenarios` and `dt-sim check`: what ships, and whether a file is good.
#pragma once

#include <cstdio>
#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct ScenariosOptions {
  std::string name;      // Of one to print; empty: the list.
  bool schema = false;   // The JSON Schema of scenario files instead.
  bool metrics = false;  // What thresholds may name instead.
};

struct CheckOptions {
  std::string file;  // Or a name.
};

// kInvalidArgument: there is none of that name.
absl::Status ListScenarios(const ScenariosOptions& options, std::FILE* out);

// Says what the scenario in that file, or of that name, is. Errors: as LoadScenario().
absl::Status CheckScenario(const std::string& file_or_name, std::FILE* out);

}  // namespace devicetrust::simulator
