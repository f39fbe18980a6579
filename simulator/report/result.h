// What a run found out: for programs as JSON, for people as a summary.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "simulator/report/format.h"
#include "simulator/report/progress.h"
#include "simulator/report/resources.h"

namespace devicetrust::simulator {

// The decisions of one rule, as the browsers saw them.
struct RuleCount {
  std::string rule;     // Its name in the org.
  std::string outcome;  // "allowed", "allowed + TOTP", "denied".
  std::uint64_t count = 0;
  std::string remark;  // "35 revoked, 135 no certificate"; empty for none.
};

struct RunResult {
  std::string version;     // Of dt-sim.
  std::string started_at;  // RFC 3339.
  std::uint64_t seed = 0;
  std::uint64_t devices = 0;
  bool processes = false;
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

  bool valid() const { return violations.empty() && failure.empty(); }
};

// One object with `enroll`, `signin`, `challenge` (each `count`, `errors`, `per_second`,
// `p50_ms`, `p99_ms`), `decisions` (rule name to count), `system_log` (event type to count),
// `steps` (name to `count`, `p50_ms`, `p90_ms`, `p99_ms`, `max_ms`), `resources` (`wall_seconds`,
// `cpu_seconds` and `pss_bytes` in total, and `processes`, each with `name`, `pid`, `cpu_seconds`,
// `pss_bytes`), `version`, `started_at`, `machine` (`cores`), `devices`, `seed`,
// `separate_processes`, `valid`, `violations`; and `reason`, when the run did not come to its end.
std::string ToJson(const RunResult& result);

// Latency by step, "What happened", violations, PASS or FAIL. Ends with a line end.
std::string Summary(const RunResult& result, const Style& style);

}  // namespace devicetrust::simulator
