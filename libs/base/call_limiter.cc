#include "libs/base/call_limiter.h"

namespace devicetrust {

std::chrono::seconds CallLimiter::Count(const std::string& identity, Time now) {
  constexpr std::chrono::minutes kMinute{1};
  const MutexLock lock(mutex_);
  if (now - minute_begin_ >= kMinute) {
    counts_.clear();
    minute_begin_ = now;
  }
  if (++counts_[identity] <= per_minute_) return std::chrono::seconds(0);
  return std::chrono::ceil<std::chrono::seconds>(minute_begin_ + kMinute - now);
}

}  // namespace devicetrust
