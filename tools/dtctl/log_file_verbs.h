#pragma once

#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {

// export, verify and head, below `log`.
void AddLogFileVerbs(CLI::App& log, Action& chosen, LocalAction& local);

}  // namespace devicetrust::ctl
