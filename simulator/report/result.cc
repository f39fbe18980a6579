#include "simulator/report/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

// Three decimals are microseconds; more would be noise.
double Rounded(double value) { return std::round(value * 1000) / 1000; }

double Milliseconds(std::chrono::microseconds value) {
  return Rounded(static_cast<double>(value.count()) / 1000);
}

Json PhaseJson(const Meter::Snapshot& phase) {
  return Json{{"count", phase.done},
              {"errors", phase.errors},
              {"per_second", Rounded(phase.PerSecond())},
              {"p50_ms", Milliseconds(phase.latency.Percentile(50))},
              {"p99_ms", Milliseconds(phase.latency.Percentile(99))}};
}

Json StepJson(const Histogram& latency) {
  return Json{{"count", latency.count()},
              {"p50_ms", Milliseconds(latency.Percentile(50))},
              {"p90_ms", Milliseconds(latency.Percentile(90))},
              {"p99_ms", Milliseconds(latency.Percentile(99))},
              {"max_ms", Milliseconds(latency.max())}};
}

Json ResourcesJson(const Resources& resources) {
  Json processes = Json::array();
  for (const ProcessUsage& process : resources.processes) {
    processes.push_back({{"name", process.name},
                         {"pid", process.pid},
                         {"cpu_seconds", Rounded(process.cpu_seconds)},
                         {"pss_bytes", process.pss_bytes}});
  }
  return Json{{"wall_seconds", Rounded(resources.wall_seconds)},
              {"cpu_seconds", Rounded(resources.CpuSeconds())},
              {"pss_bytes", resources.PssBytes()},
              {"processes", std::move(processes)}};
}

std::string StepTable(const RunResult& result) {
  std::size_t widest = 0;
  for (const auto& [name, latency] : result.steps) widest = std::max(widest, Columns(name));
  std::string text;
  for (const auto& [name, latency] : result.steps) {
    text += fmt::format("  {} {}   p50 {}  p90 {}  p99 {}  max {}\n", PadRight(name, widest),
                        PadLeft(Thousands(latency.count()), 8), Latency(latency.Percentile(50)),
                        Latency(latency.Percentile(90)), Latency(latency.Percentile(99)),
                        Latency(latency.max()));
  }
  return text;
}

std::string DecisionTable(const RunResult& result) {
  std::size_t widest = 0;
  for (const RuleCount& rule : result.decisions) widest = std::max(widest, rule.rule.size());
  std::string text;
  std::size_t number = 0;
  for (const RuleCount& rule : result.decisions) {
    text += fmt::format("  {} {}  {} {}", ++number, PadRight(rule.rule, widest),
                        PadRight(rule.outcome, 15),
                        PadLeft(rule.count == 0 ? "-" : Thousands(rule.count), 8));
    if (!rule.remark.empty()) text += fmt::format("   ({})", rule.remark);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string ToJson(const RunResult& result) {
  Json decisions = Json::object();
  for (const RuleCount& rule : result.decisions) decisions[rule.rule] = rule.count;
  Json steps = Json::object();
  for (const auto& [name, latency] : result.steps) steps[name] = StepJson(latency);
  Json root{{"version", result.version},
            {"started_at", result.started_at},
            {"machine", {{"cores", std::thread::hardware_concurrency()}}},
            {"devices", result.devices},
            {"separate_processes", result.processes},
            {"enroll", PhaseJson(result.enroll)},
            {"signin", PhaseJson(result.signin)},
            {"challenge", PhaseJson(result.challenge)},
            {"steps", std::move(steps)},
            {"decisions", std::move(decisions)},
            {"system_log", result.system_log},
            {"resources", ResourcesJson(result.resources)},
            {"seed", result.seed},
            {"valid", result.valid()},
            {"violations", result.violations}};
  if (!result.failure.empty()) root["reason"] = result.failure;
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Summary(const RunResult& result, const Style& style) {
  std::string text = style.Bold("How long each step took") + "\n" + StepTable(result);
  text += "\n" + style.Bold("What happened") + "\n";
  for (std::size_t i = 0; i < result.story.size(); ++i) {
    if (i == 1) text += DecisionTable(result);  // After who is who, before what was checked.
    text += "  " + result.story[i] + "\n";
  }
  text += fmt::format("  Cost: {:.1f} CPU seconds, {} of memory", result.resources.CpuSeconds(),
                      Mebibytes(result.resources.PssBytes()));
  for (const ProcessUsage& process : result.resources.processes) {
    text +=
        fmt::format("{} {} {:.1f} s {}", &process == result.resources.processes.data() ? ":" : ",",
                    process.name, process.cpu_seconds, Mebibytes(process.pss_bytes));
  }
  text += ".\n\n";

  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(kShown, result.violations.size()); ++i) {
    text += style.Bad("violation") + "  " + result.violations[i] + "\n";
  }
  if (result.violations.size() > kShown) {
    text += fmt::format("           and {} more\n", result.violations.size() - kShown);
  }
  text += result.valid() ? style.Good("PASS") : style.Bad("FAIL");
  text += fmt::format(" in {:.1f} s", result.resources.wall_seconds);
  return text + "\n";
}

}  // namespace devicetrust::simulator
