// What a run found out: for programs as JSON, for people as a summary.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/status.h"
#include "simulator/report/format.h"
#include "simulator/report/progress.h"
#include "simulator/report/recording.h"
#include "simulator/report/resources.h"

namespace devicetrust::simulator {

// The decisions of one rule, as the browsers saw them.
struct RuleCount {
  std::string rule;     // Its name in the org.
  std::string outcome;  // "allowed", "allowed + TOTP", "denied".
  std::uint64_t count = 0;
  std::string remark;  // "35 revoked, 135 no certificate"; empty for none.
};

// Of result files. It grows when a field that was there means something else, not with new ones.
inline constexpr int kResultVersion = 1;

struct RunResult {
  std::string version;     // Of dt-sim.
  std::string scenario;    // Its title; empty: a plain run.
  std::string started_at;  // RFC 3339.
  std::uint64_t seed = 0;
  std::uint64_t devices = 0;
  bool processes = false;
  unsigned cores = 0;  // Of the machine; 0: of this one.
  Meter::Snapshot enroll;
  Meter::Snapshot signin;
  Meter::Snapshot challenge;
  std::vector<RuleCount> decisions;                      // In the order of the rules.
  std::map<std::string, std::uint64_t> system_log;       // By event type.
  std::vector<std::pair<std::string, Histogram>> steps;  // Latency of each, in their order.
  Resources resources;
  std::vector<std::string> story;       // Lines of "What happened", ready to print.
  std::vector<std::string> violations;  // Each a sentence with its numbers.
  std::string failure;                  // Why the run did not come to its end; empty: it did.
  // By how much the generator did not keep to its schedule, which makes figures mean nothing.
  std::string fell_behind;
  Recording recording;

  bool valid() const { return violations.empty() && failure.empty() && fell_behind.empty(); }
};

// "PASS", "FAIL"; "INVALID": nothing failed, but the figures mean nothing.
std::string VerdictWord(const RunResult& result);

// One object with `enroll`, `signin`, `challenge` (each `count`, `errors`, `per_second`,
// `p50_ms`, `p99_ms`), `decisions` (rule name to count), `system_log` (event type to count),
// `steps` (name to `count`, `p50_ms`, `p90_ms`, `p99_ms`, `max_ms`), `resources` (`wall_seconds`,
// `cpu_seconds` and `pss_bytes` in total, and `processes`, each with `name`, `pid`, `cpu_seconds`,
// `pss_bytes`), `version`, `started_at`, `machine` (`cores`), `devices`, `seed`,
// `separate_processes`, `valid`, `violations`; `result_version`, `scenario`, `story`; `reason`,
// when the run did not come to its end; `fell_behind`; and `recording`, on one line
// (recording_json.h).
std::string ToJson(const RunResult& result);

inline constexpr std::size_t kResultBytesMax = std::size_t{64} << 20;

// What ToJson() wrote. kInvalidArgument: it is no result, or one that this program can't read, with
// the field.
absl::StatusOr<RunResult> ParseResult(std::string_view json);
// Errors name the file.
absl::StatusOr<RunResult> ReadResult(const std::string& path);

// Latency by step, "What happened", violations, PASS or FAIL. Ends with a line end.
std::string Summary(const RunResult& result, const Style& style);

}  // namespace devicetrust::simulator
