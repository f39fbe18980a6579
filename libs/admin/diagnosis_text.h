// A diagnosis for people: the only place that prints one.
#pragma once

#include <string>

#include "devicetrust/org/v1/diagnostics.pb.h"
#include "libs/admin/decision_text.h"

namespace devicetrust::admin {

// The first remedy on top, then of whom it is, each check in order, certificates, events, and with
// a code the decision rule by rule. Colour (ANSI) repeats what the words say.
std::string DiagnosisText(const org::v1::DiagnoseResponse& diagnosis, Color color = Color::kNever);

}  // namespace devicetrust::admin
