#pragma once

#include <chrono>

#include "libs/base/random.h"

namespace devicetrust::agent {

// How long to wait before the next attempt: each time twice as long, up to a limit, and
// anywhere in the upper half of it, so that a fleet that failed together comes back spread.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest, Random& random)
      : next_(first), longest_(longest), random_(random) {}

  // At least `at_least`, which is what the server asked for.
  std::chrono::milliseconds Next(std::chrono::milliseconds at_least = {});

 private:
  std::chrono::milliseconds next_;
  const std::chrono::milliseconds longest_;
  Random& random_;
};

}  // namespace devicetrust::agent
