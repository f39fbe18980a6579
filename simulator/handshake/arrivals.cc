#include "simulator/handshake/arrivals.h"

#include <cmath>

namespace devicetrust::simulator {

Arrivals::Arrivals(const ArrivalPlan& plan, int thread, int threads)
    : plan_(plan),
      thread_(thread),
      threads_(threads),
      arrived_(0),
      engine_(plan.seed * 1'000'003 + static_cast<std::uint64_t>(thread)) {
  // The first of each thread; evenly spaced ones of the threads lie between one another.
  if (!plan_.poisson) arrived_ = static_cast<double>(thread_ - threads_);
}

std::chrono::nanoseconds Arrivals::Next() {
  const double step = plan_.poisson ? std::exponential_distribution<double>(1.0)(engine_) : 1.0;
  arrived_ += step * threads_;
  // During the ramp n arrivals have come after sqrt(2 n ramp / rate).
  const double ramp = std::chrono::duration<double>(plan_.ramp).count();
  const double in_ramp = plan_.per_second * ramp / 2;
  const double seconds = arrived_ < in_ramp ? std::sqrt(2 * arrived_ * ramp / plan_.per_second)
                                            : ramp / 2 + arrived_ / plan_.per_second;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

}  // namespace devicetrust::simulator
