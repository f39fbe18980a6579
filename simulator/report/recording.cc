#include "simulator/report/recording.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace devicetrust::simulator {
namespace {

constexpr double kFaultsApartSeconds = 5;  // Of one fault in several parts, at most.
constexpr std::size_t kFaultsMax = 256;    // As a recorder has.
constexpr std::size_t kMeasuredBytesMax = 2000;

// Two neighbours become one.
template <typename Slot, typename JoinTwo>
void JoinPairs(std::vector<Slot>& slots, JoinTwo join) {
  for (std::size_t i = 0; i < slots.size(); i += 2) {
    Slot joined = std::move(slots[i]);
    if (i + 1 < slots.size()) join(joined, slots[i + 1]);
    slots[i / 2] = std::move(joined);
  }
  slots.resize((slots.size() + 1) / 2);
}

// The slots of another series are added to those of one.
template <typename Slot, typename JoinTwo>
void AddSlots(std::vector<Slot>& slots, const std::vector<Slot>& more, JoinTwo join) {
  if (more.size() > slots.size()) slots.resize(more.size());
  for (std::size_t i = 0; i < more.size(); ++i) join(slots[i], more[i]);
}

constexpr auto kAdd = [](std::uint64_t& slot, std::uint64_t more) { slot += more; };
constexpr auto kJoin = [](auto& slot, const auto& later) { Join(slot, later); };
// Sums of what two counted, each of which stays as it was until it is told anew.
template <typename Slot, typename AddTwo>
void AddReadings(std::vector<std::optional<Slot>>& slots,
                 const std::vector<std::optional<Slot>>& more, AddTwo add) {
  slots.resize(std::max(slots.size(), more.size()));
  std::optional<Slot> ours;
  std::optional<Slot> theirs;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const bool told = slots[i].has_value() || (i < more.size() && more[i].has_value());
    const std::optional<Slot> fresh = slots[i];
    const std::optional<Slot> other = i < more.size() ? more[i] : std::nullopt;
    if (fresh.has_value()) ours = fresh;
    if (other.has_value()) theirs = other;
    if (told) slots[i] = add(fresh, other, ours, theirs);
  }
}

double AddGauges(const std::optional<double>& /*fresh*/, const std::optional<double>& /*other*/,
                 const std::optional<double>& ours, const std::optional<double>& theirs) {
  return ours.value_or(0) + theirs.value_or(0);
}

// CPU is what was used since the reading before, memory what is held.
ProcessRecord::Slot AddUsage(const std::optional<ProcessRecord::Slot>& fresh,
                             const std::optional<ProcessRecord::Slot>& other,
                             const std::optional<ProcessRecord::Slot>& ours,
                             const std::optional<ProcessRecord::Slot>& theirs) {
  const ProcessRecord::Slot none;
  return {fresh.value_or(none).cpu_seconds + other.value_or(none).cpu_seconds,
          ours.value_or(none).pss_bytes + theirs.value_or(none).pss_bytes};
}

// Of a fault that several parts had at about one time it is one, from the first to the last.
void AddFaults(std::vector<FaultRecord>& faults, std::vector<FaultRecord> more) {
  const auto overlap = [](const FaultRecord& a, const FaultRecord& b) {
    return a.begin_seconds <= b.end_seconds.value_or(b.begin_seconds) + kFaultsApartSeconds &&
           b.begin_seconds <= a.end_seconds.value_or(a.begin_seconds) + kFaultsApartSeconds;
  };
  for (FaultRecord& fault : more) {
    const auto same = std::ranges::find_if(faults, [&](const FaultRecord& known) {
      return known.name == fault.name && overlap(known, fault);
    });
    if (same == faults.end()) {
      if (faults.size() < kFaultsMax) faults.push_back(std::move(fault));
      continue;
    }
    const bool at_once =
        same->end_seconds == same->begin_seconds && fault.end_seconds == fault.begin_seconds;
    same->begin_seconds = std::min(same->begin_seconds, fault.begin_seconds);
    if (at_once) {
      same->end_seconds = same->begin_seconds;
    } else if (same->end_seconds.has_value() && fault.end_seconds.has_value()) {
      same->end_seconds = std::max(*same->end_seconds, *fault.end_seconds);
    } else {
      same->end_seconds.reset();
    }
  }
}

// Each judged by itself; it holds when it did in all.
void AddThresholds(std::vector<ThresholdRecord>& thresholds, std::vector<ThresholdRecord> more) {
  for (ThresholdRecord& threshold : more) {
    const auto same = std::ranges::find(thresholds, threshold.text, &ThresholdRecord::text);
    if (same == thresholds.end()) {
      thresholds.push_back(std::move(threshold));
      continue;
    }
    same->holds = same->holds && threshold.holds;
    const std::string& measured = threshold.measured.empty() ? "nothing" : threshold.measured;
    if (same->measured.size() + measured.size() > kMeasuredBytesMax) continue;
    same->measured = (same->measured.empty() ? "nothing" : same->measured) + "; " + measured;
  }
}

constexpr auto kLast = [](std::optional<double>& slot, const std::optional<double>& later) {
  if (later.has_value()) slot = later;
};

}  // namespace

void Join(OperationSlot& slot, const OperationSlot& later) {
  slot.done += later.done;
  slot.errors += later.errors;
  slot.response.Merge(later.response);
}

void Join(std::optional<ProcessRecord::Slot>& slot,
          const std::optional<ProcessRecord::Slot>& later) {
  if (!later.has_value()) return;
  if (!slot.has_value()) {
    slot = later;
    return;
  }
  slot->cpu_seconds += later->cpu_seconds;
  slot->pss_bytes = std::max(slot->pss_bytes, later->pss_bytes);
}

std::size_t Recording::slots() const {
  return static_cast<std::size_t>(std::max(0.0, seconds) / slot_seconds) + 1;
}

void HalveSlots(Recording& recording) {
  recording.slot_seconds *= 2;
  for (OperationRecord& operation : recording.operations) JoinPairs(operation.slots, kJoin);
  for (RuleRecord& rule : recording.rules) JoinPairs(rule.slots, kAdd);
  for (GaugeRecord& gauge : recording.gauges) JoinPairs(gauge.slots, kLast);
  for (ProcessRecord& process : recording.processes) JoinPairs(process.slots, kJoin);
}

void Add(Recording& recording, Recording other) {
  while (recording.slot_seconds < other.slot_seconds) HalveSlots(recording);
  while (other.slot_seconds < recording.slot_seconds) HalveSlots(other);
  recording.seconds = std::max(recording.seconds, other.seconds);
  for (OperationRecord& more : other.operations) {
    const auto known = std::ranges::find(recording.operations, more.name, &OperationRecord::name);
    if (known == recording.operations.end()) {
      recording.operations.push_back(std::move(more));
      continue;
    }
    known->errors += more.errors;
    known->response.Merge(more.response);
    known->service.Merge(more.service);
    AddSlots(known->slots, more.slots, kJoin);
  }
  for (RuleRecord& more : other.rules) {
    const auto known = std::ranges::find_if(recording.rules, [&more](const RuleRecord& rule) {
      return rule.rule == more.rule && rule.outcome == more.outcome;
    });
    if (known == recording.rules.end()) {
      recording.rules.push_back(std::move(more));
    } else {
      AddSlots(known->slots, more.slots, kAdd);
    }
  }
  for (StoryRecord& more : other.stories) {
    const auto known = std::ranges::find(recording.stories, more.title, &StoryRecord::title);
    if (known == recording.stories.end()) {
      recording.stories.push_back(std::move(more));
    } else if (known->took < more.took) {
      *known = std::move(more);
    }
  }
  const auto add_readings = [](auto& list, auto& more, auto add) {
    for (auto& each : more) {
      const auto same = [&each](const auto& known) { return known.name == each.name; };
      const auto known = std::ranges::find_if(list, same);
      if (known == list.end()) {
        list.push_back(std::move(each));
      } else {
        AddReadings(known->slots, each.slots, add);
      }
    }
  };
  add_readings(recording.gauges, other.gauges, AddGauges);
  add_readings(recording.processes, other.processes, AddUsage);
  AddFaults(recording.faults, std::move(other.faults));
  AddThresholds(recording.thresholds, std::move(other.thresholds));
}

}  // namespace devicetrust::simulator
