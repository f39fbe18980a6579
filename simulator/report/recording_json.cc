#include "simulator/report/recording_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "simulator/report/recorder.h"

namespace devicetrust::simulator {
namespace {

using RecordingTree = nlohmann::ordered_json;

constexpr std::size_t kItemsMax = 4096;  // Of any list but slots and buckets.
constexpr std::size_t kTextBytesMax = 4096;
constexpr std::size_t kBucketsMax = 1 << 14;
constexpr double kNumberMax = 1e15;  // Whole numbers up to it are exact.

double Thousandths(double value) { return std::round(value * 1000) / 1000; }

RecordingTree HistogramJson(const Histogram& histogram) {
  RecordingTree json = RecordingTree::array();
  if (histogram.count() == 0) return json;
  json.push_back(histogram.sum());
  json.push_back(histogram.max().count());
  for (const auto& [bucket, values] : histogram.buckets()) {
    json.push_back(bucket);
    json.push_back(values);
  }
  return json;
}

RecordingTree PhaseTree(const Meter::Snapshot& phase) {
  return {{"name", phase.name},
          {"total", phase.total},
          {"done", phase.done},
          {"errors", phase.errors},
          {"seconds", Thousandths(phase.seconds)},
          {"latency", HistogramJson(phase.latency)}};
}

RecordingTree OperationTree(const OperationRecord& operation) {
  RecordingTree slots = RecordingTree::array();
  for (std::size_t i = 0; i < operation.slots.size(); ++i) {
    const OperationSlot& slot = operation.slots[i];
    if (slot.done == 0 && slot.errors == 0) continue;
    slots.push_back({i, slot.done, slot.errors, HistogramJson(slot.response)});
  }
  return {{"name", operation.name},
          {"errors", operation.errors},
          {"response", HistogramJson(operation.response)},
          {"service", HistogramJson(operation.service)},
          {"slots", std::move(slots)}};
}

RecordingTree DecisionsTree(const RuleRecord& rule) {
  RecordingTree slots = RecordingTree::array();
  for (std::size_t i = 0; i < rule.slots.size(); ++i) {
    if (rule.slots[i] > 0) slots.push_back({i, rule.slots[i]});
  }
  return {{"rule", rule.rule}, {"outcome", rule.outcome}, {"slots", std::move(slots)}};
}

RecordingTree GaugeTree(const GaugeRecord& gauge) {
  RecordingTree slots = RecordingTree::array();
  for (std::size_t i = 0; i < gauge.slots.size(); ++i) {
    if (gauge.slots[i].has_value()) slots.push_back({i, Thousandths(*gauge.slots[i])});
  }
  return {{"name", gauge.name}, {"slots", std::move(slots)}};
}

RecordingTree ProcessTree(const ProcessRecord& process) {
  RecordingTree slots = RecordingTree::array();
  for (std::size_t i = 0; i < process.slots.size(); ++i) {
    const auto& slot = process.slots[i];
    if (slot.has_value()) slots.push_back({i, Thousandths(slot->cpu_seconds), slot->pss_bytes});
  }
  return {{"name", process.name}, {"pid", process.pid}, {"slots", std::move(slots)}};
}

RecordingTree FaultTree(const FaultRecord& fault) {
  RecordingTree json = {{"name", fault.name}, {"begin_seconds", Thousandths(fault.begin_seconds)}};
  if (fault.end_seconds.has_value()) json["end_seconds"] = Thousandths(*fault.end_seconds);
  return json;
}

RecordingTree StoryTree(const StoryRecord& story) {
  RecordingTree steps = RecordingTree::array();
  for (const StoryRecord::Step& step : story.steps) {
    steps.push_back({step.name, step.at.count(), step.took.count(), step.detail});
  }
  return {{"title", story.title},
          {"subject", story.subject},
          {"outcome", story.outcome},
          {"code", story.code},
          {"at_seconds", Thousandths(story.at_seconds)},
          {"took_us", story.took.count()},
          {"steps", std::move(steps)}};
}

template <typename List, typename Tree>
RecordingTree ListTree(const List& list, Tree tree) {
  RecordingTree json = RecordingTree::array();
  for (const auto& item : list) json.push_back(tree(item));
  return json;
}

// One value of the file, which knows where it stands. The first error stays; after it every value
// is empty, so that readers need not look.
class Value {
 public:
  Value(const RecordingTree& json, std::string path, absl::Status& status)
      : json_(&json), path_(std::move(path)), status_(&status) {}

  void Refuse(std::string_view wanted) const {
    if (!status_->ok()) return;
    *status_ = absl::InvalidArgumentError(fmt::format("{} is not {}", path_, wanted));
  }

  Value operator[](const char* key) const {
    static const RecordingTree nothing;
    const std::string path = path_ + "." + key;
    const auto found = json_->is_object() ? json_->find(key) : json_->end();
    const bool there = json_->is_object() && found != json_->end();
    return {there ? *found : nothing, path, *status_};
  }
  bool there() const { return !json_->is_null(); }

  std::vector<Value> Items(std::size_t max) const {
    std::vector<Value> items;
    if (!json_->is_array() || json_->size() > max) {
      Refuse(fmt::format("a list of at most {}", max));
      return items;
    }
    for (std::size_t i = 0; i < json_->size(); ++i) {
      items.emplace_back((*json_)[i], fmt::format("{}[{}]", path_, i), *status_);
    }
    return items;
  }
  // A list of exactly so many; else one of so many nothings.
  std::vector<Value> Tuple(std::size_t size) const {
    static const RecordingTree nothing;
    if (json_->is_array() && json_->size() == size) return Items(size);
    Refuse(fmt::format("a list of {}", size));
    return {size, Value(nothing, path_, *status_)};
  }

  std::string Text() const {
    if (json_->is_string()) {
      const auto& text = json_->get_ref<const std::string&>();
      if (text.size() <= kTextBytesMax) return text;
    }
    Refuse(fmt::format("a text of at most {} bytes", kTextBytesMax));
    return {};
  }
  double Number(double max = kNumberMax) const {
    const double number = json_->is_number() ? json_->get<double>() : -1;
    if (number >= 0 && number <= max) return number;
    Refuse(fmt::format("a number from 0 to {:.0f}", max));
    return 0;
  }
  std::uint64_t Whole(double max = kNumberMax) const {
    const double number = Number(max);
    if (number == std::floor(number)) return static_cast<std::uint64_t>(number);
    Refuse("a whole number");
    return 0;
  }
  std::chrono::microseconds Time() const {
    return std::chrono::microseconds(
        Whole(static_cast<double>(Histogram::Duration(Histogram::kMax).count())));
  }
  bool Bool() const {
    if (json_->is_boolean()) return json_->get<bool>();
    Refuse("true or false");
    return false;
  }

  void Read(Histogram& histogram) const {
    const std::vector<Value> items = Items(2 * kBucketsMax);
    if (items.empty()) return;
    Histogram::Buckets buckets;
    for (std::size_t i = 2; i + 1 < items.size(); i += 2) {
      buckets.emplace_back(static_cast<std::uint32_t>(items[i].Whole(kBucketsMax)),
                           items[i + 1].Whole());
    }
    const bool good = items.size() % 2 == 0 && items.size() >= 4 && status_->ok() &&
                      histogram.Restore(buckets, static_cast<std::int64_t>(items[0].Whole()),
                                        static_cast<std::int64_t>(items[1].Whole()));
    if (!good) Refuse("a histogram");
  }

  // The slots of a series, each a list of `size` that begins with its number.
  template <typename Slots, typename Fill>
  void ReadSlots(Slots& slots, std::size_t size, Fill fill) const {
    for (const Value& item : Items(Recorder::kSlotsMax)) {
      const std::vector<Value> fields = item.Tuple(size);
      const std::uint64_t number = fields[0].Whole(Recorder::kSlotsMax - 1);
      if (number < slots.size()) item.Refuse("later than the slot before it");
      if (!status_->ok()) return;
      slots.resize(number + 1);
      fill(fields, slots.back());
    }
  }

 private:
  const RecordingTree* json_;
  std::string path_;
  absl::Status* status_;
};

Meter::Snapshot ReadPhase(const Value& json) {
  Meter::Snapshot phase;
  phase.name = json["name"].Text();
  phase.total = json["total"].Whole();
  phase.done = json["done"].Whole();
  phase.errors = json["errors"].Whole();
  phase.seconds = json["seconds"].Number();
  json["latency"].Read(phase.latency);
  return phase;
}

void ReadOperations(const Value& list, Recording& recording) {
  for (const Value& json : list.Items(Recorder::kNamesMax)) {
    OperationRecord& operation = recording.operations.emplace_back();
    operation.name = json["name"].Text();
    operation.errors = json["errors"].Whole();
    json["response"].Read(operation.response);
    json["service"].Read(operation.service);
    json["slots"].ReadSlots(operation.slots, 4, [](const auto& fields, OperationSlot& slot) {
      slot.done = fields[1].Whole();
      slot.errors = fields[2].Whole();
      fields[3].Read(slot.response);
    });
  }
}

void ReadSeries(const Value& json, Recording& recording) {
  for (const Value& item : json["decisions"].Items(Recorder::kNamesMax)) {
    RuleRecord& rule = recording.rules.emplace_back();
    rule.rule = item["rule"].Text();
    rule.outcome = item["outcome"].Text();
    item["slots"].ReadSlots(
        rule.slots, 2, [](const auto& fields, std::uint64_t& slot) { slot = fields[1].Whole(); });
  }
  for (const Value& item : json["gauges"].Items(Recorder::kNamesMax)) {
    GaugeRecord& gauge = recording.gauges.emplace_back();
    gauge.name = item["name"].Text();
    item["slots"].ReadSlots(gauge.slots, 2, [](const auto& fields, std::optional<double>& slot) {
      slot = fields[1].Number();
    });
  }
  for (const Value& item : json["processes"].Items(Recorder::kNamesMax)) {
    ProcessRecord& process = recording.processes.emplace_back();
    process.name = item["name"].Text();
    process.pid = static_cast<int>(item["pid"].Whole(INT32_MAX));
    item["slots"].ReadSlots(process.slots, 3, [](const auto& fields, auto& slot) {
      slot = ProcessRecord::Slot{fields[1].Number(), fields[2].Whole()};
    });
  }
}

void ReadEvents(const Value& json, Recording& recording) {
  for (const Value& item : json["faults"].Items(Recorder::kFaultsMax)) {
    FaultRecord& fault = recording.faults.emplace_back();
    fault.name = item["name"].Text();
    fault.begin_seconds = item["begin_seconds"].Number();
    if (item["end_seconds"].there()) fault.end_seconds = item["end_seconds"].Number();
  }
  for (const Value& item : json["thresholds"].Items(kItemsMax)) {
    recording.thresholds.push_back(
        {item["text"].Text(), item["measured"].Text(), item["holds"].Bool()});
  }
  for (const Value& item : json["stories"].Items(Recorder::kNamesMax)) {
    StoryRecord& story = recording.stories.emplace_back();
    story.title = item["title"].Text();
    story.subject = item["subject"].Text();
    story.outcome = item["outcome"].Text();
    story.code = item["code"].Text();
    story.at_seconds = item["at_seconds"].Number();
    story.took = item["took_us"].Time();
    for (const Value& step : item["steps"].Items(Recorder::kStepsMax)) {
      const std::vector<Value> fields = step.Tuple(4);
      story.steps.push_back(
          {fields[0].Text(), fields[1].Time(), fields[2].Time(), fields[3].Text()});
    }
  }
}

}  // namespace

RecordingTree RecordingJson(const RunResult& result) {
  const Recording& recording = result.recording;
  return {
      {"slot_seconds", recording.slot_seconds},
      {"seconds", Thousandths(recording.seconds)},
      {"phases", ListTree(std::vector{&result.enroll, &result.signin, &result.challenge},
                          [](const Meter::Snapshot* phase) { return PhaseTree(*phase); })},
      {"operations", ListTree(recording.operations, OperationTree)},
      {"steps", ListTree(result.steps,
                         [](const auto& step) {
                           return RecordingTree::array({step.first, HistogramJson(step.second)});
                         })},
      {"rules", ListTree(result.decisions,
                         [](const RuleCount& rule) -> RecordingTree {
                           return {{"rule", rule.rule},
                                   {"outcome", rule.outcome},
                                   {"count", rule.count},
                                   {"remark", rule.remark}};
                         })},
      {"decisions", ListTree(recording.rules, DecisionsTree)},
      {"gauges", ListTree(recording.gauges, GaugeTree)},
      {"processes", ListTree(recording.processes, ProcessTree)},
      {"faults", ListTree(recording.faults, FaultTree)},
      {"thresholds", ListTree(recording.thresholds,
                              [](const ThresholdRecord& threshold) -> RecordingTree {
                                return {{"text", threshold.text},
                                        {"measured", threshold.measured},
                                        {"holds", threshold.holds}};
                              })},
      {"stories", ListTree(recording.stories, StoryTree)}};
}

absl::Status ReadRecording(const RecordingTree& tree, RunResult& result) {
  absl::Status status;
  const Value json(tree, "recording", status);
  Recording& recording = result.recording;
  recording.slot_seconds = json["slot_seconds"].Number();
  recording.seconds = json["seconds"].Number();
  const double slots = recording.seconds / recording.slot_seconds;
  if (!(recording.slot_seconds > 0) || !(slots < Recorder::kSlotsMax + 1)) {
    json["slot_seconds"].Refuse(fmt::format("one of at most {} slots", Recorder::kSlotsMax));
  }
  const std::vector<Value> phases = json["phases"].Tuple(3);
  result.enroll = ReadPhase(phases[0]);
  result.signin = ReadPhase(phases[1]);
  result.challenge = ReadPhase(phases[2]);
  ReadOperations(json["operations"], recording);
  for (const Value& item : json["steps"].Items(kItemsMax)) {
    const std::vector<Value> fields = item.Tuple(2);
    result.steps.emplace_back(fields[0].Text(), Histogram());
    fields[1].Read(result.steps.back().second);
  }
  for (const Value& item : json["rules"].Items(kItemsMax)) {
    result.decisions.push_back({item["rule"].Text(), item["outcome"].Text(), item["count"].Whole(),
                                item["remark"].Text()});
  }
  ReadSeries(json, recording);
  ReadEvents(json, recording);
  return status;
}

}  // namespace devicetrust::simulator
