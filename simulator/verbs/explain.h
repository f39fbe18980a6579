// Decisions for people, and the file in which a run keeps them.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/status.h"
#include "simulator/report/format.h"

namespace devicetrust::simulator {

// The first remedy on top, then who, what and from where, then each rule's each condition.
std::string ExplainText(const org::v1::Decision& decision, const Style& style);

// One decision a line, as protobuf's JSON. The file has mode 0600.
absl::Status WriteDecisions(const std::string& path,
                            const std::vector<org::v1::Decision>& decisions);

// Case and dashes of `code` do not matter. kNotFound: no such file, or no such code in it.
absl::StatusOr<org::v1::Decision> FindDecision(const std::string& path, const std::string& code);

}  // namespace devicetrust::simulator
