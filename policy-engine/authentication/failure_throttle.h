// Slows down guessing of passwords without locking anybody out who knows theirs.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"

namespace devicetrust::policy {

struct FailureLimits {
  // Failures within `window`; each limit is refilled evenly over it.
  double per_pair_max = 10;        // Of one account from one address.
  double per_account_max = 100;    // Of one account from everywhere.
  double per_address_max = 1'000;  // From one address with any accounts.
  std::chrono::seconds window{600};
  std::size_t remembered_max = 100'000;  // Of each kind; the least recently used goes.
};

// Three counters of failures, in memory of this process (several replicas: as many times
// the limits). Who signed in from an address before is judged by the pair's counter alone:
// a stranger who guesses at the same account, or from the same address, does not lock that
// person out. An attempt counts as a failure until it is known better, so that many at
// once gain nothing. Thread-safe.
class FailureThrottle {
 public:
  explicit FailureThrottle(FailureLimits limits = {}) : limits_(limits) {}

  struct Refusal {
    std::chrono::seconds retry_after{1};
    bool first = false;  // Of this pair since it was last let through: worth an event.
  };
  // Call before an attempt. Nothing: go on, and end with Succeeded(), Failed() or
  // Forget(). A refusal: do not try at all. `account` in one spelling (lower case).
  std::optional<Refusal> Begin(const std::string& account, const std::string& address,
                               WallTime now);

  void Succeeded(const std::string& account, const std::string& address, WallTime now);
  void Failed() {}  // Counted by Begin() already.
  // The attempt says nothing about the password (the directory is away).
  void Forget(const std::string& account, const std::string& address, WallTime now);

 private:
  struct Counter {
    double failures = 0;
    WallTime at;
    bool refused = false;    // The last Begin() was.
    bool succeeded = false;  // Ever, of a pair.
    std::list<std::string>::iterator used;
  };
  // Counters by key, forgetting the least recently used.
  class Table {
   public:
    Counter& Use(const std::string& key, std::size_t remembered_max, WallTime now);

   private:
    std::unordered_map<std::string, Counter> counters_;
    std::list<std::string> by_use_;  // Most recent first.
  };

  void Decay(Counter& counter, double max, WallTime now) const;
  // Seconds until one more failure fits; zero: it does.
  std::chrono::seconds WaitOf(const Counter& counter, double max) const;

  const FailureLimits limits_;
  Mutex mutex_;
  Table pairs_ ABSL_GUARDED_BY(mutex_);
  Table accounts_ ABSL_GUARDED_BY(mutex_);
  Table addresses_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::policy
