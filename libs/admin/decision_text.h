// A decision for people and for scripts: the only place that prints one.
#pragma once

#include <string>

#include "devicetrust/org/v1/decisions.pb.h"

namespace devicetrust::admin {

enum class Color { kNever, kAlways };

// The outcome and the first remedy on top, then who, which app, from where and with which device,
// then every condition of every rule. Colour (ANSI) repeats what the words say.
std::string DecisionText(const org::v1::Decision& decision, Color color = Color::kNever);

// Each rule and, below it, each of its conditions.
std::string TraceText(const google::protobuf::RepeatedPtrField<org::v1::RuleTrace>& rules,
                      Color color = Color::kNever);
// "report-only  rule 2 "Managed" would have decided: DENIED", a line each.
std::string ReportedText(const org::v1::Decision& decision);

// One line of JSON with the field names of the proto, without what is not known: a decision keeps
// of the person, for example, no status, and of a trusted device no reason.
std::string DecisionJson(const org::v1::Decision& decision);

}  // namespace devicetrust::admin
