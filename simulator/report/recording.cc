#include "simulator/report/recording.h"

#include <algorithm>
#include <utility>

namespace devicetrust::simulator {
namespace {

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
  const auto append = [](auto& list, auto& more) {
    list.insert(list.end(), std::make_move_iterator(more.begin()),
                std::make_move_iterator(more.end()));
  };
  append(recording.gauges, other.gauges);
  append(recording.processes, other.processes);
  append(recording.faults, other.faults);
  append(recording.thresholds, other.thresholds);
}

}  // namespace devicetrust::simulator
