// Which forests a scenario's fleet lives in, and which trust one another.
#pragma once

#include <string>

#include "libs/base/status.h"
#include "simulator/scenario/file/scenario_spec.h"
#include "simulator/scenario/file/section.h"

namespace devicetrust::simulator {

// `fleet` is the section of that name in `file`.
absl::Status ReadForests(const std::string& file, const Section& fleet, FleetMix& mix);

}  // namespace devicetrust::simulator
