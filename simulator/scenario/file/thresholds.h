// What a run must hold, as one line: "signin.p99 < 500ms". Parsed with the scenario, judged while
// the run goes on and at its end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::simulator {

enum class Unit { kSeconds, kPercent, kBytes, kPerSecond, kCount };

struct Threshold {
  enum class Order { kLess, kAtMost, kMore, kAtLeast };

  std::string text;    // As the file has it.
  std::string metric;  // "signin.p99"
  Order order = Order::kLess;
  double value = 0;  // In `unit`.
  Unit unit = Unit::kSeconds;
  bool abort = false;  // A run that can no longer hold it ends at once.

  bool Holds(double measured) const;
};

// "METRIC < VALUE", also <=, > and >=; VALUE with a unit where the metric has one.
// kInvalidArgument: a metric that there is none of, naming the nearest; another unit.
absl::StatusOr<Threshold> ParseThreshold(std::string_view text);

// All metrics that a threshold may name, for --help and errors.
std::vector<std::string> ThresholdMetrics();

// "412 ms", "99.97 %", "1,024 MiB", "38/s", "7".
std::string WithUnit(double value, Unit unit);

struct Verdict {
  Threshold threshold;
  std::optional<double> measured;  // None: nothing was measured, which holds no threshold.

  bool holds() const { return measured.has_value() && threshold.Holds(*measured); }
};

// "signin.p99 < 500ms: 612 ms".
std::string VerdictText(const Verdict& verdict);

// Asks `measure` for each metric; none: there is nothing to measure yet.
using Measure = std::function<std::optional<double>(const std::string& metric)>;
std::vector<Verdict> Judge(const std::vector<Threshold>& thresholds, const Measure& measure);

}  // namespace devicetrust::simulator
