// When connections should begin: a schedule that knows nothing of how the server fares, so that a
// stall of it is in the latency of everybody who came meanwhile (no coordinated omission).
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace devicetrust::simulator {

struct ArrivalPlan {
  double per_second = 0;             // Of all threads together; positive.
  std::chrono::nanoseconds ramp{0};  // The rate rises from zero to it, in a straight line.
  bool poisson = false;              // Else evenly spaced.
  std::uint64_t seed = 1;            // Of the Poisson process.
};

// The arrivals of thread `thread` of `threads`, which together make up the plan's.
class Arrivals {
 public:
  Arrivals(const ArrivalPlan& plan, int thread, int threads);

  // Since the start of the load; never before the one before.
  std::chrono::nanoseconds Next();

 private:
  const ArrivalPlan plan_;
  const int thread_;
  const int threads_;
  double arrived_;  // Of all threads, up to the one that Next() gave.
  std::mt19937_64 engine_;
};

}  // namespace devicetrust::simulator
