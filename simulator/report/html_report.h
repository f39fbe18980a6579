// A result as one HTML page for people: it asks nobody for anything, runs no script, and looks well
// in light and dark, on a phone and on paper.
#pragma once

#include <string>

#include "simulator/report/result.h"

namespace devicetrust::simulator {

// What is of the run in it (names, addresses, errors) is text, whatever it holds. What nobody
// recorded has no section.
std::string HtmlReport(const RunResult& result);

}  // namespace devicetrust::simulator
