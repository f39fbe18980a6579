#include "simulator/scenario/file/thresholds.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "simulator/scenario/file/words.h"

namespace devicetrust::simulator {
namespace {

// What there is of each kind of work.
constexpr std::array kLoadGroups = {"enroll", "renew", "signin", "apps"};
constexpr std::array<std::pair<const char*, Unit>, 12> kLoadFigures = {{
    {"p50", Unit::kSeconds},  // From the scheduled moment, where there is a schedule.
    {"p90", Unit::kSeconds},
    {"p99", Unit::kSeconds},
    {"p99.9", Unit::kSeconds},
    {"max", Unit::kSeconds},
    {"mean", Unit::kSeconds},
    {"service_p50", Unit::kSeconds},  // From when it really began.
    {"service_p99", Unit::kSeconds},
    {"success", Unit::kPercent},
    {"errors", Unit::kCount},
    {"count", Unit::kCount},
    {"rate", Unit::kPerSecond},
}};
constexpr std::array<std::pair<const char*, Unit>, 12> kOtherFigures = {{
    {"revoke_to_deny.p50", Unit::kSeconds},
    {"revoke_to_deny.p99", Unit::kSeconds},
    {"revoke_to_deny.max", Unit::kSeconds},
    {"policy.evaluate.p50", Unit::kSeconds},
    {"policy.evaluate.p99", Unit::kSeconds},
    {"visits.allowed", Unit::kPercent},
    {"visits.denied", Unit::kPercent},
    {"arrivals.late_p99", Unit::kSeconds},
    {"arrivals.late_max", Unit::kSeconds},
    {"resources.pss_max", Unit::kBytes},
    {"resources.cpu", Unit::kSeconds},
    {"resources.wall", Unit::kSeconds},
}};

std::optional<Unit> UnitOf(const std::string& metric) {
  for (const auto& [name, unit] : kOtherFigures) {
    if (metric == name) return unit;
  }
  for (const char* const group : kLoadGroups) {
    for (const auto& [name, unit] : kLoadFigures) {
      if (metric == fmt::format("{}.{}", group, name)) return unit;
    }
  }
  return std::nullopt;
}

struct UnitWord {
  const char* word;
  Unit unit;
  double factor;
};
constexpr std::array<UnitWord, 12> kUnitWords = {{{"us", Unit::kSeconds, 1e-6},
                                                  {"ms", Unit::kSeconds, 1e-3},
                                                  {"s", Unit::kSeconds, 1},
                                                  {"m", Unit::kSeconds, 60},
                                                  {"h", Unit::kSeconds, 3600},
                                                  {"%", Unit::kPercent, 1},
                                                  {"KiB", Unit::kBytes, 1024},
                                                  {"MiB", Unit::kBytes, 1048576},
                                                  {"GiB", Unit::kBytes, 1073741824},
                                                  {"B", Unit::kBytes, 1},
                                                  {"/s", Unit::kPerSecond, 1},
                                                  {"", Unit::kCount, 1}}};

const char* ExampleOf(Unit unit) {
  switch (unit) {
    case Unit::kSeconds:
      return "500ms, 2s";
    case Unit::kPercent:
      return "99.9%";
    case Unit::kBytes:
      return "512MiB, 1GiB";
    case Unit::kPerSecond:
      return "50/s";
    case Unit::kCount:
      return "0, 1000";
  }
  return "";
}

std::string_view Stripped(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

absl::Status Wrong(std::string_view what) { return absl::InvalidArgumentError(std::string(what)); }

absl::StatusOr<double> ParseValue(std::string_view text, const std::string& metric, Unit unit) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) {
    return Wrong(fmt::format("\"{}\" is no value: {} takes {}", text, metric, ExampleOf(unit)));
  }
  const std::string_view word = Stripped(text.substr(static_cast<std::size_t>(end - text.data())));
  for (const UnitWord& known : kUnitWords) {
    if (known.unit == unit && word == known.word) return number * known.factor;
  }
  return Wrong(
      fmt::format("\"{}\" is no value of {}, which takes {}", text, metric, ExampleOf(unit)));
}

}  // namespace

bool Threshold::Holds(double measured) const {
  switch (order) {
    case Order::kLess:
      return measured < value;
    case Order::kAtMost:
      return measured <= value;
    case Order::kMore:
      return measured > value;
    case Order::kAtLeast:
      return measured >= value;
  }
  return false;
}

std::vector<std::string> ThresholdMetrics() {
  std::vector<std::string> names;
  for (const char* const group : kLoadGroups) {
    for (const auto& [name, unit] : kLoadFigures)
      names.push_back(fmt::format("{}.{}", group, name));
  }
  for (const auto& [name, unit] : kOtherFigures) names.emplace_back(name);
  return names;
}

absl::StatusOr<Threshold> ParseThreshold(std::string_view text) {
  const std::size_t at = text.find_first_of("<>");
  if (at == std::string_view::npos) {
    return Wrong(
        fmt::format("\"{}\" compares nothing: write METRIC < VALUE, also <=, > or >=", text));
  }
  Threshold threshold;
  threshold.text = std::string(Stripped(text));
  threshold.metric = std::string(Stripped(text.substr(0, at)));
  if (threshold.metric.starts_with("enrol.")) threshold.metric.insert(5, "l");
  const bool equal = at + 1 < text.size() && text[at + 1] == '=';
  if (text[at] == '<') {
    threshold.order = equal ? Threshold::Order::kAtMost : Threshold::Order::kLess;
  } else {
    threshold.order = equal ? Threshold::Order::kAtLeast : Threshold::Order::kMore;
  }
  const std::optional<Unit> unit = UnitOf(threshold.metric);
  if (!unit.has_value()) {
    return Wrong(fmt::format("there is no metric \"{}\"{}", threshold.metric,
                             DidYouMean(threshold.metric, ThresholdMetrics())));
  }
  threshold.unit = *unit;
  DT_ASSIGN_OR_RETURN(threshold.value, ParseValue(Stripped(text.substr(at + (equal ? 2 : 1))),
                                                  threshold.metric, *unit));
  return threshold;
}

std::string WithUnit(double value, Unit unit) {
  switch (unit) {
    case Unit::kSeconds:
      return value < 10 ? fmt::format("{:.4g} ms", value * 1000) : fmt::format("{:.1f} s", value);
    case Unit::kPercent:
      return fmt::format("{:.4g} %", value);
    case Unit::kBytes:
      return fmt::format("{:.0f} MiB", value / 1048576);
    case Unit::kPerSecond:
      return fmt::format("{:.4g}/s", value);
    case Unit::kCount:
      return fmt::format("{:.0f}", value);
  }
  return "";
}

std::string VerdictText(const Verdict& verdict) {
  if (!verdict.measured.has_value()) {
    return fmt::format("{}: nothing was measured", verdict.threshold.text);
  }
  return fmt::format("{}: {}", verdict.threshold.text,
                     WithUnit(*verdict.measured, verdict.threshold.unit));
}

std::vector<Verdict> Judge(const std::vector<Threshold>& thresholds, const Measure& measure) {
  std::vector<Verdict> verdicts;
  for (const Threshold& threshold : thresholds) {
    verdicts.push_back({threshold, measure(threshold.metric)});
  }
  return verdicts;
}

}  // namespace devicetrust::simulator
