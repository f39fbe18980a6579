#pragma once

#include <chrono>
#include <cstdint>

#include "libs/base/mutex.h"

namespace devicetrust {

// Wakes those who wait for something new to read. It carries no data: they read the store,
// which is also what makes a missed signal harmless. Thread-safe.
class ChangeSignal {
 public:
  // Grows with each Fire().
  std::uint64_t Generation() const {
    const MutexLock lock(mutex_);
    return generation_;
  }

  void Fire() {
    {
      const MutexLock lock(mutex_);
      ++generation_;
    }
    changed_.NotifyAll();
  }

  // Nobody waits any more. Idempotent.
  void Stop() {
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
    }
    changed_.NotifyAll();
  }

  bool stopped() const {
    const MutexLock lock(mutex_);
    return stopped_;
  }

  // Returns when the generation is no longer `seen`, once stopped, or after `at_most`.
  void WaitForChange(std::uint64_t seen, std::chrono::milliseconds at_most) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    const MutexLock lock(mutex_);
    while (!stopped_ && generation_ == seen && changed_.WaitUntil(mutex_, end)) {
    }
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace devicetrust
