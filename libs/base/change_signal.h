#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace devicetrust {

// Wakes those who wait for something new to read. It carries no data: they read the store,
// which is also what makes a missed signal harmless. Thread-safe.
class ChangeSignal {
 public:
  // Grows with each Fire().
  std::uint64_t Generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
  }

  void Fire() {
    {
      const std::lock_guard lock(mutex_);
      ++generation_;
    }
    changed_.notify_all();
  }

  // Nobody waits any more. Idempotent.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
  }

  bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  // Returns when the generation is no longer `seen`, once stopped, or after `at_most`.
  void WaitForChange(std::uint64_t seen, std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most, [&] { return stopped_ || generation_ != seen; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t generation_ = 0;
  bool stopped_ = false;
};

}  // namespace devicetrust
