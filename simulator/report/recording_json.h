// A recording as JSON, the field `recording` of a result file:
//
//   slot_seconds, seconds   the length of a slot; what was recorded
//   phases      of each its name, total, done, errors, seconds, latency
//   operations  of each its name, errors, response, service (histograms), slots: [number, done,
//               errors, histogram] of those in which one ended
//   steps       [name, histogram]
//   rules       of each its rule, outcome, count, remark, in the order of the rules
//   decisions   of each its rule, outcome, slots: [number, count]
//   gauges      name, slots: [number, value]
//   processes   name, pid, slots: [number, CPU seconds, PSS bytes]
//   faults      name, begin_seconds, end_seconds (none: to the end)
//   thresholds  text, measured, holds
//   stories     title, subject, outcome, code, at_seconds, took_us, steps: [name, begin, took,
//   detail]
//
// A histogram is [sum, maximum, bucket, values, bucket, values, …] in microseconds; empty: [].
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "libs/base/status.h"
#include "simulator/report/result.h"

namespace devicetrust::simulator {

nlohmann::ordered_json RecordingJson(const RunResult& result);

// Fills what RecordingJson() told. kInvalidArgument: the field that is not as above.
absl::Status ReadRecording(const nlohmann::ordered_json& json, RunResult& result);

}  // namespace devicetrust::simulator
