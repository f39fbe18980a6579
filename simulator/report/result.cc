#include "simulator/report/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "libs/base/files.h"
#include "simulator/report/recording_json.h"

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

unsigned CoresOf(const RunResult& result) {
  return result.cores != 0 ? result.cores : std::thread::hardware_concurrency();
}

// Fields at the top and in `resources`: one that is missing, or of another kind, is as if empty, so
// that what an earlier version lacks is no error.
std::string TextIn(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <typename Number>
void NumberIn(const Json& object, const char* key, Number& number) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return;
  const double value = found->get<double>();
  const double most = std::min(1e15, static_cast<double>(std::numeric_limits<Number>::max()));
  if (value >= 0 && value <= most) number = static_cast<Number>(value);
}

absl::Status TextsIn(const Json& object, const char* key, std::vector<std::string>& texts) {
  const auto found = object.find(key);
  if (found == object.end()) return absl::OkStatus();
  for (const Json& text : *found) {
    if (!text.is_string()) {
      return absl::InvalidArgumentError(fmt::format("{} is not a list of texts", key));
    }
    texts.push_back(text.get<std::string>());
  }
  return absl::OkStatus();
}

void ReadCost(const Json& json, Resources& resources) {
  NumberIn(json, "wall_seconds", resources.wall_seconds);
  const auto processes = json.find("processes");
  if (processes == json.end() || !processes->is_array()) return;
  for (const Json& item : *processes) {
    if (!item.is_object()) continue;
    ProcessUsage& process = resources.processes.emplace_back();
    process.name = TextIn(item, "name");
    NumberIn(item, "pid", process.pid);
    NumberIn(item, "cpu_seconds", process.cpu_seconds);
    NumberIn(item, "pss_bytes", process.pss_bytes);
  }
}

absl::Status ReadRoot(const Json& root, RunResult& result) {
  result.version = TextIn(root, "version");
  result.scenario = TextIn(root, "scenario");
  result.started_at = TextIn(root, "started_at");
  result.failure = TextIn(root, "reason");
  result.fell_behind = TextIn(root, "fell_behind");
  const auto seed = root.find("seed");
  if (seed != root.end() && seed->is_number_unsigned()) result.seed = seed->get<std::uint64_t>();
  NumberIn(root, "devices", result.devices);
  result.processes = root.value("separate_processes", Json()) == Json(true);
  if (const auto machine = root.find("machine"); machine != root.end() && machine->is_object()) {
    NumberIn(*machine, "cores", result.cores);
  }
  if (const auto cost = root.find("resources"); cost != root.end() && cost->is_object()) {
    ReadCost(*cost, result.resources);
  }
  if (const auto log = root.find("system_log"); log != root.end() && log->is_object()) {
    for (const auto& [type, count] : log->items()) {
      if (count.is_number_unsigned()) result.system_log[type] = count.get<std::uint64_t>();
    }
  }
  DT_RETURN_IF_ERROR(TextsIn(root, "violations", result.violations));
  return TextsIn(root, "story", result.story);
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

std::string VerdictWord(const RunResult& result) {
  if (result.valid()) return "PASS";
  const bool failed = !result.violations.empty() || !result.failure.empty();
  return failed ? "FAIL" : "INVALID";
}

std::string ToJson(const RunResult& result) {
  Json decisions = Json::object();
  for (const RuleCount& rule : result.decisions) decisions[rule.rule] = rule.count;
  Json steps = Json::object();
  for (const auto& [name, latency] : result.steps) steps[name] = StepJson(latency);
  Json root{{"version", result.version},
            {"result_version", kResultVersion},
            {"scenario", result.scenario},
            {"started_at", result.started_at},
            {"machine", {{"cores", CoresOf(result)}}},
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
            {"violations", result.violations},
            {"story", result.story}};
  if (!result.failure.empty()) root["reason"] = result.failure;
  if (!result.fell_behind.empty()) root["fell_behind"] = result.fell_behind;
  std::string text = root.dump(2, ' ', false, Json::error_handler_t::replace);
  text.resize(text.rfind('\n'));  // Before the last brace.
  return text + ",\n  \"recording\": " +
         RecordingJson(result).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n}\n";
}

absl::StatusOr<RunResult> ParseResult(std::string_view json) {
  const auto refuse = [](std::string_view what) {
    return absl::InvalidArgumentError(
        fmt::format("{}: this is no result of dt-sim run, or not a whole one", what));
  };
  if (json.size() > kResultBytesMax) return refuse("it is larger than 64 MiB");
  const Json root = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return refuse("it is no JSON object");
  const auto version = root.find("result_version");
  if (version == root.end() || !version->is_number_unsigned()) {
    return absl::InvalidArgumentError(
        "it has no result_version: an older dt-sim wrote it, without what this needs. Run again");
  }
  if (*version != kResultVersion) {
    return absl::InvalidArgumentError(
        fmt::format("its result_version is {}, and this dt-sim reads {}: use the dt-sim of its "
                    "version",
                    version->dump(), kResultVersion));
  }
  const auto recording = root.find("recording");
  if (recording == root.end()) return refuse("it has no recording");
  RunResult result;
  DT_RETURN_IF_ERROR(ReadRecording(*recording, result));
  DT_RETURN_IF_ERROR(ReadRoot(root, result));
  return result;
}

absl::StatusOr<RunResult> ReadResult(const std::string& path) {
  DT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kResultBytesMax));
  absl::StatusOr<RunResult> result = ParseResult(text);
  if (!result.ok()) return Annotate(result.status(), path);
  return result;
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
  if (!result.fell_behind.empty())
    text += style.Bad("invalid") + "    " + result.fell_behind + "\n";
  text += result.valid() ? style.Good("PASS") : style.Bad(VerdictWord(result));
  text += fmt::format(" in {:.1f} s", result.resources.wall_seconds);
  return text + "\n";
}

}  // namespace devicetrust::simulator
