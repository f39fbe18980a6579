// `dt-sim explain CODE`.
#pragma once

#include <cstdio>
#include <string>

#include "libs/base/status.h"

namespace devicetrust::simulator {

struct ExplainOptions {
  std::string code;
  // Of a running environment (asked over gRPC) or of a kept run (read from its file). Empty: as
  // admin::FindEndpointsFile(), else this user's last run.
  std::string run_dir;
};

// Prints the trace to `out`. kNotFound: no run, or no such code in it; kUnavailable: the
// environment is gone. The message says where it looked and what to do.
absl::Status Explain(const ExplainOptions& options, std::FILE* out);

}  // namespace devicetrust::simulator
