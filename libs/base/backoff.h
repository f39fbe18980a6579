#pragma once

#include <algorithm>
#include <chrono>

namespace devicetrust {

// How long to wait before the next attempt: each time twice as long, up to a limit. Not
// thread-safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(std::max(first, longest)), next_(first) {}

  std::chrono::milliseconds Next() {
    const std::chrono::milliseconds pause = next_;
    next_ = std::min(next_ * 2, longest_);
    return pause;
  }

  void Reset() { next_ = first_; }  // After a success.

 private:
  const std::chrono::milliseconds first_;
  const std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

}  // namespace devicetrust
