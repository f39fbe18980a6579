#include "policy-engine/authentication/failure_throttle.h"

#include <algorithm>

namespace devicetrust::policy {
namespace {

using std::chrono::seconds;

// No SID and no network holds a line feed.
std::string PairKey(const FailureThrottle::Attempt& attempt) {
  return attempt.account + '\n' + attempt.network;
}

}  // namespace

FailureThrottle::FailureThrottle(FailureLimits limits, const Bytes& secret)
    : limits_(limits),
      names_(FailureSketch::Window::kSinceLast, limits.window, secret),
      networks_(FailureSketch::Window::kSinceFirst, limits.window, secret) {}

// A clock that was set back makes nothing live longer than a window.
bool FailureThrottle::IsLive(const Counter& counter, WallTime now) const {
  return counter.failures > 0 && now - counter.last < limits_.window &&
         counter.last - now < limits_.window;
}

seconds FailureThrottle::WaitOf(const Counters& counters, const std::string& key, std::uint32_t max,
                                WallTime now) const {
  const auto found = counters.find(key);
  if (found == counters.end() || !IsLive(found->second, now) || found->second.failures < max) {
    return seconds(0);
  }
  const auto left = std::chrono::ceil<seconds>(found->second.last + limits_.window - now);
  return std::clamp(left, seconds(1), limits_.window);
}

seconds FailureThrottle::WaitOf(FailureSketch::Count count, std::uint32_t max) const {
  return count.failures < max ? seconds(0) : count.ends_in;
}

void FailureThrottle::Add(Counters& counters, const std::string& key, WallTime now) {
  Counter& counter = counters[key];
  if (!IsLive(counter, now)) counter.failures = 0;
  ++counter.failures;
  counter.last = now;
}

void FailureThrottle::TakeBack(Counters& counters, const std::string& key) {
  const auto found = counters.find(key);
  if (found == counters.end()) return;
  if (found->second.failures <= 1) {
    counters.erase(found);
  } else {
    --found->second.failures;
  }
}

std::optional<seconds> FailureThrottle::Begin(const Attempt& attempt, WallTime now) {
  const MutexLock lock(mutex_);
  seconds wait{0};
  if (attempt.known) {
    wait = WaitOf(known_, PairKey(attempt), limits_.known_max, now);
  } else {
    wait = attempt.account.empty() ? WaitOf(names_.Of(attempt.name, now), limits_.account_max)
                                   : WaitOf(accounts_, attempt.account, limits_.account_max, now);
    wait = std::max(wait, WaitOf(networks_.Of(attempt.network, now), limits_.network_max));
  }
  if (wait > seconds(0)) return wait;
  if (attempt.known) {
    Add(known_, PairKey(attempt), now);
  } else if (attempt.account.empty()) {
    names_.Add(attempt.name, now);
  } else {
    Add(accounts_, attempt.account, now);
  }
  return std::nullopt;
}

std::optional<seconds> FailureThrottle::WaitOfNetwork(const std::string& network, WallTime now) {
  const MutexLock lock(mutex_);
  const seconds wait = WaitOf(networks_.Of(network, now), limits_.network_max);
  return wait > seconds(0) ? std::optional<seconds>(wait) : std::nullopt;
}

void FailureThrottle::Succeeded(const Attempt& attempt) {
  const MutexLock lock(mutex_);
  accounts_.erase(attempt.account);
  known_.erase(PairKey(attempt));
}

void FailureThrottle::Failed(const Attempt& attempt, WallTime now) {
  const MutexLock lock(mutex_);
  if (!attempt.known) networks_.Add(attempt.network, now);
}

// A name that nobody has stays counted.
void FailureThrottle::Forget(const Attempt& attempt) {
  const MutexLock lock(mutex_);
  if (attempt.known) {
    TakeBack(known_, PairKey(attempt));
  } else if (!attempt.account.empty()) {
    TakeBack(accounts_, attempt.account);
  }
}

void FailureThrottle::Prune(WallTime now) {
  const MutexLock lock(mutex_);
  const auto over = [&](const auto& entry) { return !IsLive(entry.second, now); };
  std::erase_if(accounts_, over);
  std::erase_if(known_, over);
}

}  // namespace devicetrust::policy
