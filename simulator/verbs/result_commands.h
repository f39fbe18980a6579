// `dt-sim report`, `compare` and `merge`: what becomes of the results that `run --json` writes.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct ReportOptions {
  std::string result;
  std::string out;  // Empty: beside the result, with .html for .json; "-": standard output.
};

struct CompareOptions {
  std::string before;  // A result, or a folder of them, each a round.
  std::string after;
  int tolerance = 5;  // Percent.
  bool json = false;
};

struct MergeOptions {
  std::vector<std::string> results;
  std::string out = "-";
};

// Errors of all: kInvalidArgument: a file that can't be read or is no result, named, or results of
// several scenarios where they must be of one.

// Writes the page, and says where to `out`.
absl::Status WriteReport(const ReportOptions& options, std::FILE* out);
// The exit code: 1 when the second is worse than the first, 3 when nothing can be said.
absl::StatusOr<int> CompareRuns(const CompareOptions& options, std::FILE* out);
// The exit code: that of `dt-sim run` for all parts together.
absl::StatusOr<int> MergeRuns(const MergeOptions& options, std::FILE* out);

}  // namespace devicetrust::simulator
