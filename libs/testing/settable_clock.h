// A clock that stands still until a test moves it. Tests only.
#pragma once

#include <atomic>

#include "libs/base/clock.h"

namespace devicetrust::testing {

// Thread-safe.
class SettableClock final : public Clock {
 public:
  explicit SettableClock(WallTime now) : now_(now) {}

  WallTime Now() const override { return now_; }
  void Set(WallTime now) { now_ = now; }
  void Advance(WallTime::duration by) { now_ = now_.load() + by; }

 private:
  std::atomic<WallTime> now_;
};

}  // namespace devicetrust::testing
