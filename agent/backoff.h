#pragma once

#include <chrono>

#include "libs/base/backoff.h"
#include "libs/base/random.h"

namespace devicetrust::agent {

// A Backoff with full jitter: each pause lies anywhere between nothing and its limit, so that a
// fleet that failed together comes back spread evenly.
class SpreadBackoff {
 public:
  SpreadBackoff(std::chrono::milliseconds first, std::chrono::milliseconds longest, Random& random)
      : pauses_(first, longest), random_(random) {}

  // More than nothing, and beyond `at_least`, which is what the server asked for.
  std::chrono::milliseconds Next(std::chrono::milliseconds at_least = {});

 private:
  Backoff pauses_;
  Random& random_;
};

}  // namespace devicetrust::agent
