// Which events a verb of dtctl is about.
#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"

namespace CLI {
class App;
}

namespace devicetrust::ctl {

struct EventOptions {
  std::vector<std::string> types;
  std::string user;
  std::string device;
  std::string expression;
  std::string since;  // As admin::ParseTime().
  std::string until;
};

// Declares the flags; `options` must outlive the parsing.
void AddEventOptions(CLI::App& verb, EventOptions& options);

// kInvalidArgument: a time is none, or they are the wrong way round.
absl::StatusOr<org::v1::EventFilter> FilterOf(const EventOptions& options, const Clock& clock);

}  // namespace devicetrust::ctl
