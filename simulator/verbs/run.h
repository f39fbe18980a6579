// `dt-sim run`: starts everything, enrolls, signs in, checks that all agree, says so.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct RunOptions {
  std::size_t devices = 1000;  // 1 to 50,000.
  std::uint64_t seed = 7;
  std::string json_path;   // Empty: none.
  std::string run_dir;     // Empty: a temporary one, removed afterwards unless the run failed.
  bool processes = false;  // Components as programs of their own.
  std::string bin_dir;     // Where they lie.
  bool story = true;
};

// Prints to `out`. True when the run is valid: all agree and nothing failed. An error means
// that there is no result: something did not start, or ended by itself.
absl::StatusOr<bool> RunScenario(const RunOptions& options, std::FILE* out);

// The file with the decisions of this user's last run.
absl::StatusOr<std::string> LastDecisionsPath();

}  // namespace devicetrust::simulator
