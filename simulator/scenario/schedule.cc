#include "simulator/scenario/schedule.h"

#include <cmath>

#include "simulator/handshake/arrivals.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::nanoseconds;

double SecondsOf(nanoseconds time) { return std::chrono::duration<double>(time).count(); }

// How long after the start of a stretch, whose rate goes from `from` to `to` in `length` seconds,
// so many have come; no more than come in it.
double WithinStretch(double from, double to, double length, double count) {
  const double slope = (to - from) / length;
  // from * t + slope * t^2 / 2 = count, by the form that loses nothing when the slope is small.
  const double root = std::sqrt(std::max(0.0, from * from + 2 * slope * count));
  return from + root > 0 ? 2 * count / (from + root) : length;
}

// The moment at which `arrived` have come, by the curve's area.
double MomentOnCurve(const std::vector<ArrivalSpec::Point>& curve, double arrived) {
  for (std::size_t i = 0; i + 1 < curve.size(); ++i) {
    const double length = SecondsOf(curve[i + 1].at - curve[i].at);
    const double area = (curve[i].per_second + curve[i + 1].per_second) / 2 * length;
    if (arrived <= area) {
      return SecondsOf(curve[i].at) +
             WithinStretch(curve[i].per_second, curve[i + 1].per_second, length, arrived);
    }
    arrived -= area;
  }
  return SecondsOf(curve.back().at) + arrived / curve.back().per_second;
}

}  // namespace

std::vector<nanoseconds> ScheduleOf(const ArrivalSpec& arrivals, std::size_t count,
                                    std::uint64_t seed) {
  std::vector<nanoseconds> moments;
  if (!arrivals.open()) return moments;
  const bool curve = arrivals.kind == ArrivalSpec::Kind::kCurve;
  ArrivalPlan plan;
  plan.per_second = curve ? 1 : arrivals.per_second;  // Of a curve: how many, as seconds.
  plan.ramp = curve ? nanoseconds(0) : arrivals.ramp;
  plan.poisson = arrivals.poisson;
  plan.seed = seed;
  Arrivals source(plan, 0, 1);
  moments.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const nanoseconds next = source.Next();
    if (!curve) {
      moments.push_back(next);
      continue;
    }
    const double moment = MomentOnCurve(arrivals.curve, SecondsOf(next));
    moments.push_back(nanoseconds(static_cast<std::int64_t>(moment * 1e9)));
  }
  return moments;
}

}  // namespace devicetrust::simulator
