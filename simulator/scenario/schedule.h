// When the sessions of a phase begin.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "simulator/scenario/file/scenario_spec.h"

namespace devicetrust::simulator {

// For each of `count` sessions, in order, when it begins since the start of the phase. Empty: the
// loop is closed, there is no schedule. A function of its arguments.
std::vector<std::chrono::nanoseconds> ScheduleOf(const ArrivalSpec& arrivals, std::size_t count,
                                                 std::uint64_t seed);

}  // namespace devicetrust::simulator
