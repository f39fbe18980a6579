#include "simulator/report/recorder.h"

#include <algorithm>
#include <utility>

namespace devicetrust::simulator {
namespace {

template <typename Slot>
Slot& At(std::vector<Slot>& slots, std::size_t slot) {
  if (slot >= slots.size()) slots.resize(slot + 1);
  return slots[slot];
}

}  // namespace

double Recorder::SecondsAt(Moment now) const {
  return std::max(0.0, std::chrono::duration<double>(now - begun_).count());
}

std::size_t Recorder::SlotAt(Moment now) {
  const double seconds = SecondsAt(now);
  while (seconds >= static_cast<double>(kSlotsMax) * recording_.slot_seconds)
    HalveSlots(recording_);
  return static_cast<std::size_t>(seconds / recording_.slot_seconds);
}

OperationRecord* Recorder::Operation(std::string_view name) {
  auto& all = recording_.operations;
  const auto found = std::ranges::find(all, name, &OperationRecord::name);
  if (found != all.end()) return &*found;
  if (all.size() >= kNamesMax) return nullptr;
  OperationRecord& added = all.emplace_back();
  added.name = name;
  return &added;
}

void Recorder::Done(std::string_view operation, Duration response, Duration service, Moment now) {
  const MutexLock lock(mutex_);
  OperationRecord* const record = Operation(operation);
  if (record == nullptr) return;
  record->response.Record(response);
  record->service.Record(service);
  OperationSlot& slot = At(record->slots, SlotAt(now));
  ++slot.done;
  slot.response.Record(response);
}

void Recorder::Failed(std::string_view operation, Moment now) {
  const MutexLock lock(mutex_);
  OperationRecord* const record = Operation(operation);
  if (record == nullptr) return;
  ++record->errors;
  ++At(record->slots, SlotAt(now)).errors;
}

void Recorder::Decided(std::string_view rule, std::string_view outcome, Moment now) {
  const MutexLock lock(mutex_);
  auto& all = recording_.rules;
  auto found = std::ranges::find_if(all, [&](const RuleRecord& record) {
    return record.rule == rule && record.outcome == outcome;
  });
  if (found == all.end()) {
    if (all.size() >= kNamesMax) return;
    found = all.insert(all.end(), RuleRecord{std::string(rule), std::string(outcome), {}});
  }
  // The slot first: it may join those that there are.
  const std::size_t slot = SlotAt(now);
  ++At(found->slots, slot);
}

void Recorder::Gauge(std::string_view name, double value, Moment now) {
  const MutexLock lock(mutex_);
  auto& all = recording_.gauges;
  auto found = std::ranges::find(all, name, &GaugeRecord::name);
  if (found == all.end()) {
    if (all.size() >= kNamesMax) return;
    found = all.insert(all.end(), GaugeRecord{std::string(name), {}});
  }
  const std::size_t slot = SlotAt(now);
  At(found->slots, slot) = value;
}

void Recorder::Used(const Resources& resources, Moment now) {
  const MutexLock lock(mutex_);
  const std::size_t slot = SlotAt(now);
  for (const ProcessUsage& process : resources.processes) {
    const auto known = std::ranges::find(seen_, process.pid, &Seen::pid);
    auto at = static_cast<std::size_t>(known - seen_.begin());
    if (known == seen_.end()) {
      if (seen_.size() >= kNamesMax) continue;
      seen_.push_back({process.pid, process.cpu_seconds});
      recording_.processes.push_back({process.name, process.pid, {}});
    }
    ProcessRecord::Slot used{process.cpu_seconds - seen_[at].cpu_seconds, process.pss_bytes};
    used.cpu_seconds = std::max(0.0, used.cpu_seconds);
    seen_[at].cpu_seconds = process.cpu_seconds;
    Join(At(recording_.processes[at].slots, slot), used);
  }
}

void Recorder::AddFault(FaultRecord fault) {
  if (recording_.faults.size() < kFaultsMax) recording_.faults.push_back(std::move(fault));
}

void Recorder::FaultBegins(std::string_view name, Moment now) {
  const MutexLock lock(mutex_);
  AddFault({std::string(name), SecondsAt(now), std::nullopt});
}

void Recorder::Happened(std::string_view name, Moment now) {
  const MutexLock lock(mutex_);
  AddFault({std::string(name), SecondsAt(now), SecondsAt(now)});
}

void Recorder::FaultEnds(std::string_view name, Moment now) {
  const MutexLock lock(mutex_);
  for (auto fault = recording_.faults.rbegin(); fault != recording_.faults.rend(); ++fault) {
    if (fault->name != name || fault->end_seconds.has_value()) continue;
    fault->end_seconds = SecondsAt(now);
    return;
  }
}

bool Recorder::WantsStory(std::string_view title, Duration took) const {
  const MutexLock lock(mutex_);
  const auto& all = recording_.stories;
  const auto known = std::ranges::find(all, title, &StoryRecord::title);
  return known == all.end() ? all.size() < kNamesMax : known->took < took;
}

void Recorder::Tell(StoryRecord story, Moment now) {
  story.at_seconds = SecondsAt(now);
  if (story.steps.size() > kStepsMax) story.steps.resize(kStepsMax);
  const MutexLock lock(mutex_);
  auto& all = recording_.stories;
  const auto known = std::ranges::find(all, story.title, &StoryRecord::title);
  if (known == all.end()) {
    if (all.size() < kNamesMax) all.push_back(std::move(story));
  } else if (known->took < story.took) {
    *known = std::move(story);
  }
}

void Recorder::Judged(std::vector<ThresholdRecord> thresholds) {
  const MutexLock lock(mutex_);
  recording_.thresholds = std::move(thresholds);
}

Recording Recorder::Read(Moment now) const {
  const MutexLock lock(mutex_);
  Recording recording = recording_;
  recording.seconds = SecondsAt(now);
  return recording;
}

}  // namespace devicetrust::simulator
