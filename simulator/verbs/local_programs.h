// Programs of this machine that a person may start beside an environment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

bool IsProgram(const std::string& path);
bool IsInstalled(const std::string& program);  // In PATH.

// Whether `command`, a program and its arguments, can be run, before an environment is started for
// it. Empty: there is none. kInvalidArgument names the program.
absl::Status CheckCommand(const std::vector<std::string>& command);

// A line with a command to try, and what it needs when that is not there.
std::string Suggestion(const std::string& command, bool is_there, std::string_view needs);

// tools/open-browser, beside the build in the source tree; elsewhere it is not installed: empty.
std::string OpenBrowserPath(const std::string& bin_dir);

}  // namespace devicetrust::simulator
