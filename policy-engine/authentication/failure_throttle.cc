#include "policy-engine/authentication/failure_throttle.h"

#include <algorithm>
#include <cmath>

namespace devicetrust::policy {
namespace {

// No account name and no address holds a line feed.
std::string PairKey(const std::string& account, const std::string& address) {
  return account + '\n' + address;
}

void TakeBack(double& failures) { failures = std::max(0.0, failures - 1); }

}  // namespace

FailureThrottle::Counter& FailureThrottle::Table::Use(const std::string& key,
                                                      std::size_t remembered_max, WallTime now) {
  const auto [found, added] = counters_.try_emplace(key);
  Counter& counter = found->second;
  if (!added) {
    by_use_.splice(by_use_.begin(), by_use_, counter.used);
    return counter;
  }
  by_use_.push_front(key);
  counter.used = by_use_.begin();
  counter.at = now;
  if (counters_.size() > remembered_max) {
    counters_.erase(by_use_.back());
    by_use_.pop_back();
  }
  return counter;
}

void FailureThrottle::Decay(Counter& counter, double max, WallTime now) const {
  const std::chrono::duration<double> passed = now - counter.at;
  const std::chrono::duration<double> window = limits_.window;
  if (passed.count() > 0) {
    counter.failures = std::max(0.0, counter.failures - max * (passed / window));
  }
  counter.at = now;
}

std::chrono::seconds FailureThrottle::WaitOf(const Counter& counter, double max) const {
  const double excess = counter.failures + 1 - max;
  if (excess <= 0) return std::chrono::seconds{0};
  const std::chrono::duration<double> window = limits_.window;
  return std::chrono::ceil<std::chrono::seconds>(window * (excess / max));
}

std::optional<FailureThrottle::Refusal> FailureThrottle::Begin(const std::string& account,
                                                               const std::string& address,
                                                               WallTime now) {
  const MutexLock lock(mutex_);
  Counter& pair = pairs_.Use(PairKey(account, address), limits_.remembered_max, now);
  Counter& by_account = accounts_.Use(account, limits_.remembered_max, now);
  Counter& by_address = addresses_.Use(address, limits_.remembered_max, now);
  Decay(pair, limits_.per_pair_max, now);
  Decay(by_account, limits_.per_account_max, now);
  Decay(by_address, limits_.per_address_max, now);

  std::chrono::seconds wait = WaitOf(pair, limits_.per_pair_max);
  if (!pair.succeeded) {
    wait = std::max({wait, WaitOf(by_account, limits_.per_account_max),
                     WaitOf(by_address, limits_.per_address_max)});
  }
  if (wait.count() > 0) {
    const bool first = !pair.refused;
    pair.refused = true;
    return Refusal{wait, first};
  }
  pair.refused = false;
  pair.failures += 1;
  by_account.failures += 1;
  by_address.failures += 1;
  return std::nullopt;
}

void FailureThrottle::Succeeded(const std::string& account, const std::string& address,
                                WallTime now) {
  const MutexLock lock(mutex_);
  Counter& pair = pairs_.Use(PairKey(account, address), limits_.remembered_max, now);
  pair.failures = 0;
  pair.succeeded = true;
  TakeBack(accounts_.Use(account, limits_.remembered_max, now).failures);
  TakeBack(addresses_.Use(address, limits_.remembered_max, now).failures);
}

void FailureThrottle::Forget(const std::string& account, const std::string& address, WallTime now) {
  const MutexLock lock(mutex_);
  TakeBack(pairs_.Use(PairKey(account, address), limits_.remembered_max, now).failures);
  TakeBack(accounts_.Use(account, limits_.remembered_max, now).failures);
  TakeBack(addresses_.Use(address, limits_.remembered_max, now).failures);
}

}  // namespace devicetrust::policy
