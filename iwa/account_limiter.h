#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace devicetrust::iwa {

// How often one account may ask for tokens, so that one computer gone wild costs the
// others nothing. Counted per minute of real time, by SID, after the ticket was checked:
// nobody can use up another's share. Thread-safe.
class AccountLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit AccountLimiter(std::size_t per_minute) : per_minute_(per_minute) {}

  // Zero: go on. Else how long the account has to wait.
  std::chrono::seconds Count(const std::string& account_sid, Time now);

 private:
  const std::size_t per_minute_;
  std::mutex mutex_;
  Time minute_begin_{};
  std::unordered_map<std::string, std::size_t> counts_;  // Of this minute.
};

}  // namespace devicetrust::iwa
