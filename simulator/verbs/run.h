// `dt-sim run`: starts everything, plays a scenario, checks that all agree, says so.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct RunOptions {
  std::string scenario;     // A file, or the name of one that ships; empty: the quick start.
  std::size_t devices = 0;  // 1 to 50,000; 0: as the scenario says.
  std::string seed_text;    // Of `seed`, as the command line has it.
  std::optional<std::uint64_t> seed;  // None: as the scenario says.
  std::string json_path;              // Empty: none; "-": standard output.
  std::string junit_path;             // Empty: none.
  std::string markdown_path;          // Empty: none.
  std::string run_dir;     // Empty: a temporary one, removed afterwards unless the run failed.
  bool processes = false;  // Components as programs of their own.
  std::string bin_dir;     // Where they lie.
  std::string version;     // Of dt-sim.
  bool no_story = false;
  bool verbose = false;  // The story with tickets and tokens as they are.
};

// Prints to `out`; with JSON on standard output, to standard error. The exit code: 0 when the run
// is valid (all agree, nothing failed, thresholds hold), 1 when it is not, kFellBehind when nothing
// failed but the generator did not keep to its schedule, 128 + N when signal N ended it. An error
// means that there is no result: something did not start, or ended by itself. The JSON file of an
// earlier run is removed at the start; whatever happens then is in the new one, unless it can't be
// written.
inline constexpr int kFellBehind = 3;
absl::StatusOr<int> RunScenario(const RunOptions& options, std::FILE* out);

// The file with the decisions of this user's last run.
absl::StatusOr<std::string> LastDecisionsPath();

}  // namespace devicetrust::simulator
