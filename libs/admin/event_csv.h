// Events of the System Log as a spreadsheet takes them (RFC 4180). Pure.
#pragma once

#include <string>

#include "devicetrust/org/v1/system_log.pb.h"

namespace devicetrust::admin {

// The names of the columns, with their line end.
std::string EventCsvHeader();

// One event as a line. Lists stand in one cell, parted by "; ". What a spreadsheet would take for a
// formula (a cell that begins with = + - @, a tab or a line end) has an apostrophe before it: names
// in events are anybody's.
std::string EventCsvLine(const org::v1::Event& event);

}  // namespace devicetrust::admin
