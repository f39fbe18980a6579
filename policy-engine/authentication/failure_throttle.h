// Slows down guessing of passwords without locking anybody out who knows theirs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "policy-engine/authentication/failure_sketch.h"

namespace devicetrust::policy {

// Active Directory locks an account after so many wrong passwords in a row, five where it is told
// to, and forgets them after so long without one, thirty minutes. Whoever guesses here must not
// come that far, so the counts of an account are of the same kind and smaller, each by itself: at
// an address that owner and guesser share they add up (docs/threat-model.md).
struct FailureLimits {
  // Wrong passwords in a row of one account from all strange addresses together.
  std::uint32_t account_max = 3;
  // The same from one address where the account has signed in lately.
  std::uint32_t known_max = 4;
  // Wrong passwords from one network (libs/base/client_network.h) with any accounts, in `window`.
  std::uint32_t network_max = 200;
  // A count of an account begins anew with a right password, or without a wrong one for so long.
  std::chrono::seconds window{30 * 60};
};

// Attempts at once: a quarter of the calls that the org takes, and half of those.
inline constexpr std::uint32_t kAttemptsMax = 128;
inline constexpr std::uint32_t kAttemptsOfNetworkMax = 64;

// Counters of failures, in memory of this process; a restart forgets them. What a stranger does
// evicts nothing: accounts are counted one by one, but only those that exist; networks, and names
// that nobody has, in sketches of fixed size. Who is over a limit is counted no further.
//
// An account at an address where it has signed in lately is judged by what came from there alone,
// so no stranger elsewhere shuts its owner out. An attempt counts as a failure of the account until
// it is known better, so that many at once gain nothing. Thread-safe.
class FailureThrottle {
 public:
  struct Attempt {
    std::string account;  // Its SID; empty: nobody has the name.
    std::string name;     // As looked up, in one spelling.
    std::string network;
    bool known = false;  // The account has signed in from there lately.
  };

  // `secret`: at least 16 random bytes.
  FailureThrottle(FailureLimits limits, const Bytes& secret);

  // Before anything of an attempt is looked at, and after all of it: attempts at once are bounded,
  // of one network and in all, so that whoever floods a slow directory with them leaves the rest of
  // this process to others. False: there are too many.
  bool Enter(const std::string& network);
  void Leave(const std::string& network);

  // Before an attempt. Nothing: go on, and end with one of those below. Else how long to wait: do
  // not try at all.
  std::optional<std::chrono::seconds> Begin(const Attempt& attempt, WallTime now);

  // What Begin() would say of the network alone: before an account is looked for.
  std::optional<std::chrono::seconds> WaitOfNetwork(const std::string& network, WallTime now);

  void Succeeded(const Attempt& attempt);
  void Failed(const Attempt& attempt, WallTime now);
  // The attempt says nothing about the password (the directory is away).
  void Forget(const Attempt& attempt);

  // Drops counts that have ended. Now and then.
  void Prune(WallTime now);

 private:
  struct Counter {
    std::uint32_t failures = 0;  // And attempts under way.
    std::uint32_t under_way = 0;
    WallTime last;
  };
  using Counters = std::unordered_map<std::string, Counter>;

  bool IsLive(const Counter& counter, WallTime now) const;
  // Zero: another failure fits.
  std::chrono::seconds WaitOf(const Counters& counters, const std::string& key, std::uint32_t max,
                              WallTime now) const;
  std::chrono::seconds WaitOf(FailureSketch::Count count, std::uint32_t max) const;
  void Add(Counters& counters, const std::string& key, WallTime now);
  // An attempt has ended.
  void End(const Attempt& attempt, bool failed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void End(Counters& counters, const std::string& key, bool failed);
  // A right password ends the row, but for attempts that the directory may see after it.
  static void EndRow(Counters& counters, const std::string& key);

  const FailureLimits limits_;
  Mutex mutex_;
  Counters accounts_ ABSL_GUARDED_BY(mutex_);  // By SID.
  Counters known_ ABSL_GUARDED_BY(mutex_);     // By SID and network.
  std::unordered_map<std::string, std::uint32_t> entered_ ABSL_GUARDED_BY(mutex_);  // By network.
  std::uint32_t all_entered_ ABSL_GUARDED_BY(mutex_) = 0;
  FailureSketch names_ ABSL_GUARDED_BY(mutex_);
  FailureSketch networks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::policy
