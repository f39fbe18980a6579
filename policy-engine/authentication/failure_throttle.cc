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
  if (!IsLive(counter, now)) counter.failures = counter.under_way;
  ++counter.failures;
  ++counter.under_way;
  counter.last = now;
}

void FailureThrottle::End(Counters& counters, const std::string& key, bool failed) {
  const auto found = counters.find(key);
  if (found == counters.end()) return;
  Counter& counter = found->second;
  if (counter.under_way > 0) --counter.under_way;
  if (!failed && counter.failures > 0) --counter.failures;
  if (counter.failures == 0) counters.erase(found);
}

void FailureThrottle::EndRow(Counters& counters, const std::string& key) {
  const auto found = counters.find(key);
  if (found == counters.end()) return;
  found->second.failures = found->second.under_way;
  if (found->second.failures == 0) counters.erase(found);
}

bool FailureThrottle::Enter(const std::string& network) {
  const MutexLock lock(mutex_);
  if (all_entered_ >= kAttemptsMax) return false;
  std::uint32_t& of_network = entered_[network];
  if (of_network >= kAttemptsOfNetworkMax) return false;
  ++of_network;
  ++all_entered_;
  return true;
}

void FailureThrottle::Leave(const std::string& network) {
  const MutexLock lock(mutex_);
  --all_entered_;
  const auto found = entered_.find(network);
  if (--found->second == 0) entered_.erase(found);
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

// A name that nobody has stays counted.
void FailureThrottle::End(const Attempt& attempt, bool failed) {
  if (attempt.known) {
    End(known_, PairKey(attempt), failed);
  } else if (!attempt.account.empty()) {
    End(accounts_, attempt.account, failed);
  }
}

void FailureThrottle::Succeeded(const Attempt& attempt) {
  const MutexLock lock(mutex_);
  End(attempt, false);
  EndRow(accounts_, attempt.account);
  EndRow(known_, PairKey(attempt));
}

void FailureThrottle::Failed(const Attempt& attempt, WallTime now) {
  const MutexLock lock(mutex_);
  End(attempt, true);
  if (!attempt.known) networks_.Add(attempt.network, now);
}

void FailureThrottle::Forget(const Attempt& attempt) {
  const MutexLock lock(mutex_);
  End(attempt, false);
}

void FailureThrottle::Prune(WallTime now) {
  const MutexLock lock(mutex_);
  const auto over = [&](const auto& entry) { return !IsLive(entry.second, now); };
  std::erase_if(accounts_, over);
  std::erase_if(known_, over);
}

}  // namespace devicetrust::policy
