// A decision for people: the only place that puts one into words.
#pragma once

#include <string>

#include "devicetrust/org/v1/decisions.pb.h"

namespace devicetrust::admin {

enum class Color { kNever, kAlways };

// The outcome and the first remedy on top, then who, which app, from where and with which device,
// then every condition of every rule. Colour (ANSI) repeats what the words say.
std::string DecisionText(const org::v1::Decision& decision, Color color = Color::kNever);

}  // namespace devicetrust::admin
