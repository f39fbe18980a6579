// A result for those who watch over builds: JUnit XML, and Markdown as GitHub shows it.
#pragma once

#include <string>

#include "simulator/report/result.h"

namespace devicetrust::simulator {

// One test for each threshold; one for the checks of the run; one for its schedule.
std::string ToJUnit(const RunResult& result);

// The verdict, thresholds, latencies and decisions in tables.
std::string ToMarkdown(const RunResult& result);

}  // namespace devicetrust::simulator
