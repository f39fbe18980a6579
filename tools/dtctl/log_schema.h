#pragma once

#include <string_view>

namespace devicetrust::ctl {

// docs/system-log.schema.json, as it was built in.
extern const std::string_view kSystemLogSchema;

}  // namespace devicetrust::ctl
