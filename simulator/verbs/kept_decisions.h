// The file in which a run keeps its decisions, for dt-sim explain.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/status.h"

namespace devicetrust::simulator {

// One decision a line, as protobuf's JSON. The file has mode 0600.
absl::Status WriteDecisions(const std::string& path,
                            const std::vector<org::v1::Decision>& decisions);

// Case and dashes of `code` do not matter. kNotFound: no such file, or no such code in it.
absl::StatusOr<org::v1::Decision> FindDecision(const std::string& path, const std::string& code);

}  // namespace devicetrust::simulator
