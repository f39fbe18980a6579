#include "libs/base/wait_until.h"

#include <thread>

namespace devicetrust {

absl::Status WaitUntil(const std::function<absl::StatusOr<bool>()>& done,
                       std::chrono::milliseconds every, std::chrono::milliseconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    DT_ASSIGN_OR_RETURN(const bool is_done, done());
    if (is_done) return absl::OkStatus();
    if (std::chrono::steady_clock::now() >= end) {
      return absl::DeadlineExceededError("it did not happen in time");
    }
    std::this_thread::sleep_for(every);
  }
}

}  // namespace devicetrust
