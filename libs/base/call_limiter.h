#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

#include "libs/base/mutex.h"

namespace devicetrust {

// How often each of many identities may call, so that one gone wild costs the others nothing.
// Counted per minute of real time. Only for identities that were proven before: nobody can
// then use up another's share, nor fill the table with names. Thread-safe.
class CallLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit CallLimiter(std::size_t per_minute) : per_minute_(per_minute) {}

  // Zero: go on. Else how long `identity` has to wait.
  std::chrono::seconds Count(const std::string& identity, Time now);

 private:
  const std::size_t per_minute_;
  Mutex mutex_;
  Time minute_begin_ ABSL_GUARDED_BY(mutex_){};
  // Of this minute.
  std::unordered_map<std::string, std::size_t> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust
