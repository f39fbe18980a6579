// What happened in a run, second by second, in a size that does not grow with what happened: a
// run of a day has as many slots as one of a few minutes, only longer ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "simulator/report/histogram.h"

namespace devicetrust::simulator {

// Of one operation in one slot of time, by the moment at which it ended.
struct OperationSlot {
  std::uint64_t done = 0;
  std::uint64_t errors = 0;
  Histogram response{Histogram::kCoarse};
};

// One kind of work: "enroll", "first app".
struct OperationRecord {
  std::string name;
  std::uint64_t errors = 0;
  Histogram response;  // From the moment at which it should have begun.
  Histogram service;   // From the moment at which it did. The same in a closed loop.
  std::vector<OperationSlot> slots;
};

// Decisions by one rule.
struct RuleRecord {
  std::string rule;
  std::string outcome;  // "allowed", "denied".
  std::vector<std::uint64_t> slots;
};

// Something that is counted up and down: certificates held, sessions under way.
struct GaugeRecord {
  std::string name;
  std::vector<std::optional<double>> slots;  // The last value in each; none: as before.
};

struct ProcessRecord {
  struct Slot {
    double cpu_seconds = 0;  // Used in this slot.
    std::uint64_t pss_bytes = 0;
  };
  std::string name;
  int pid = 0;
  std::vector<std::optional<Slot>> slots;
};

struct FaultRecord {
  std::string name;  // "CA down"
  double begin_seconds = 0;
  std::optional<double> end_seconds;  // None: to the end of the run. The begin itself: done once.
};

struct ThresholdRecord {
  std::string text;      // "signin.p99 < 500ms", as the scenario has it.
  std::string measured;  // "612 ms"; empty: nothing was.
  bool holds = false;
};

// One visit from begin to end.
struct StoryRecord {
  struct Step {
    std::string name;  // "challenge (mTLS handshake)"
    std::chrono::microseconds at{0};
    std::chrono::microseconds took{0};
    std::string detail;  // May be empty.
  };
  std::string title;    // "The slowest sign-in"
  std::string subject;  // "user17@corp.test opening wiki"
  std::string outcome;  // "allowed", "denied", or an error.
  std::string code;     // Of a refusal: what explain takes.
  double at_seconds = 0;
  std::chrono::microseconds took{0};
  std::vector<Step> steps;
};

struct Recording {
  double slot_seconds = 0.25;  // At first; see Recorder.
  double seconds = 0;          // That were recorded.
  std::vector<OperationRecord> operations;
  std::vector<RuleRecord> rules;
  std::vector<GaugeRecord> gauges;
  std::vector<ProcessRecord> processes;
  std::vector<FaultRecord> faults;
  std::vector<ThresholdRecord> thresholds;
  std::vector<StoryRecord> stories;

  std::size_t slots() const;  // That `seconds` fill.
};

// Of two moments that become one.
void Join(OperationSlot& slot, const OperationSlot& later);
void Join(std::optional<ProcessRecord::Slot>& slot,
          const std::optional<ProcessRecord::Slot>& later);
// Each two neighbours become one slot of twice the length.
void HalveSlots(Recording& recording);
// What another part of the same run recorded, from the same moment on. Gauges and processes of one
// name are summed, a fault that both had is one, a threshold holds when it holds in both.
void Add(Recording& recording, Recording other);

}  // namespace devicetrust::simulator
