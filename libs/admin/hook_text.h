// Event hooks as administrators read them. Pure.
#pragma once

#include <string>

#include "devicetrust/org/v1/event_hooks.pb.h"

namespace devicetrust::admin {

std::string HooksTable(const org::v1::ListHooksResponse& hooks);
// One hook, a fact a line.
std::string HookText(const org::v1::EventHook& hook);
std::string DeadLettersTable(const org::v1::ListDeadLettersResponse& letters);

}  // namespace devicetrust::admin
