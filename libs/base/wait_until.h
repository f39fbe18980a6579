#pragma once

#include <chrono>
#include <functional>

#include "libs/base/status.h"

namespace devicetrust {

// Asks `done` again and again, `every` apart, until it returns true. For what sends no signal: a
// state of another process. An error of `done` ends the wait and is returned;
// kDeadlineExceeded when it was not done after `at_most`. `done` is asked at least once.
absl::Status WaitUntil(const std::function<absl::StatusOr<bool>()>& done,
                       std::chrono::milliseconds every, std::chrono::milliseconds at_most);

}  // namespace devicetrust
