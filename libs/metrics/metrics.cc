#include "libs/metrics/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "libs/base/ascii.h"
#include "libs/base/check.h"
#include "libs/base/mutex.h"

namespace devicetrust::metrics {
namespace {

using Values = std::vector<std::string>;

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// Of HELP and of a label's value, which alone is between quotation marks.
std::string Escape(std::string_view text, bool quoted) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '"' && quoted) {
      escaped += "\\\"";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

bool IsMetricName(std::string_view name) {
  const auto good = [](char c) { return IsLower(c) || IsDigit(c) || c == '_'; };
  return IsAll(name, good) && IsLower(name[0]);
}

// What all kinds of metrics share. Never deleted: threads count until the process has ended.
class Metric {
 public:
  Metric(const char* name, const char* help, const char* type,
         std::initializer_list<const char*> labels)
      : name_(name), help_(help), type_(type), labels_(labels.begin(), labels.end()) {
    DT_CHECK(IsMetricName(name_) && std::all_of(labels.begin(), labels.end(), &IsMetricName));
  }
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  const std::string& name() const { return name_; }

  void Append(std::string& text) {
    text += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, Escape(help_, false), name_, type_);
    AppendSamples(text);
  }

 protected:
  ~Metric() = default;
  virtual void AppendSamples(std::string& text) = 0;

  // One line. `extra`: a label that is not of the metric, such as le="0.1".
  void AppendSample(std::string& text, std::string_view suffix, const Values& values,
                    std::string_view extra, std::string_view number) const {
    std::string inside;
    for (std::size_t i = 0; i < values.size(); ++i) {
      inside += fmt::format("{}{}=\"{}\"", i == 0 ? "" : ",", labels_[i], Escape(values[i], true));
    }
    if (!extra.empty()) inside += fmt::format("{}{}", inside.empty() ? "" : ",", extra);
    text += name_;
    text += suffix;
    if (!inside.empty()) text += fmt::format("{{{}}}", inside);
    text += fmt::format(" {}\n", number);
  }

  std::size_t label_count() const { return labels_.size(); }

 private:
  const std::string name_;
  const std::string help_;
  const std::string type_;
  const std::vector<std::string> labels_;
};

struct Registry {
  Mutex mutex;
  std::map<std::string, Metric*> metrics ABSL_GUARDED_BY(mutex);

  static Registry& Get() {
    static auto* const registry = new Registry;
    return *registry;
  }
  static void Add(Metric* metric) {
    Registry& registry = Get();
    const MutexLock lock(registry.mutex);
    DT_CHECK(registry.metrics.emplace(metric->name(), metric).second);  // Else declared twice.
  }
};

bool Same(const Values& left, LabelValues right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

// The series of one metric: a list that only grows at its head, so that finding one takes no
// lock.
template <typename Series>
class SeriesList {
 public:
  template <typename... Arguments>
  Series& Find(LabelValues values, std::size_t label_count, const Arguments&... arguments) {
    DT_CHECK(values.size() == label_count);
    if (Series* found = FindFrom(head_.load(std::memory_order_acquire), values)) return *found;
    const MutexLock lock(mutex_);
    if (Series* found = FindFrom(head_.load(std::memory_order_acquire), values)) return *found;
    Values own(values.begin(), values.end());
    if (size_ >= kSeriesMax) {
      if (overflow_ != nullptr) return overflow_->series;
      std::fill(own.begin(), own.end(), "other");
    }
    auto* const node = new Node{std::move(own), Series(arguments...), head_.load()};
    if (size_ >= kSeriesMax) overflow_ = node;
    ++size_;
    head_.store(node, std::memory_order_release);
    return node->series;
  }

  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (const Node* node = head_.load(std::memory_order_acquire); node; node = node->next) {
      visit(node->values, node->series);
    }
  }

 private:
  struct Node {
    const Values values;
    Series series;
    Node* const next;
  };

  static Series* FindFrom(Node* node, LabelValues values) {
    while (node != nullptr && !Same(node->values, values)) node = node->next;
    return node == nullptr ? nullptr : &node->series;
  }

  std::atomic<Node*> head_{nullptr};
  Mutex mutex_;  // Of growing.
  std::size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  Node* overflow_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

// Functions that tell values, while their Readings live.
class Readers {
 public:
  Reading Add(LabelValues values, ReadValue read) {
    auto entry =
        std::make_unique<Entry>(Entry{Values(values.begin(), values.end()), std::move(read)});
    const MutexLock lock(mutex_);
    entries_.push_back(entry.get());
    return Reading(std::shared_ptr<void>(
        entry.release(), [this](void* gone) { Forget(static_cast<Entry*>(gone)); }));
  }

  template <typename Visit>
  void ForEach(const Visit& visit) {
    const MutexLock lock(mutex_);
    for (const Entry* entry : entries_) visit(entry->values, entry->read());
  }

 private:
  struct Entry {
    Values values;
    ReadValue read;
  };

  void Forget(Entry* entry) {
    const std::unique_ptr<Entry> owned(entry);
    const MutexLock lock(mutex_);
    std::erase(entries_, entry);
  }

  Mutex mutex_;
  std::vector<Entry*> entries_ ABSL_GUARDED_BY(mutex_);
};

// A counter or a gauge: one number a series, kept here or told by functions.
template <typename Series>
class NumberMetric : public Metric {
 public:
  NumberMetric(const char* name, const char* help, const char* type,
               std::initializer_list<const char*> labels, Merge merge)
      : Metric(name, help, type, labels), merge_(merge) {}

  Series& With(LabelValues values) { return series_.Find(values, label_count()); }
  Reading Read(LabelValues values, ReadValue read) {
    DT_CHECK(values.size() == label_count());
    return readers_.Add(values, std::move(read));
  }

 private:
  void AppendSamples(std::string& text) override {
    std::map<Values, double> numbers;
    const auto add = [&](const Values& values, double number) {
      const auto [at, is_new] = numbers.emplace(values, number);
      if (is_new) return;
      at->second = merge_ == Merge::kSum     ? at->second + number
                   : merge_ == Merge::kLeast ? std::min(at->second, number)
                                             : std::max(at->second, number);
    };
    series_.ForEach([&](const Values& values, const Series& series) {
      add(values, static_cast<double>(series.Value()));
    });
    readers_.ForEach(add);
    for (const auto& [values, number] : numbers) {
      AppendSample(text, "", values, "", Number(number));
    }
  }

  const Merge merge_;
  SeriesList<Series> series_;
  Readers readers_;
};

}  // namespace

std::size_t NewShard() {
  static std::atomic<std::size_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed) % kShards;
}

std::uint64_t Counter::Value() const {
  std::uint64_t sum = 0;
  for (const Place& place : shards_) sum += place.count.load(std::memory_order_relaxed);
  return sum;
}

Histogram::Histogram(std::span<const double> bounds) : bounds_(bounds) {
  DT_CHECK(!bounds.empty() && bounds.size() <= kBucketsMax &&
           std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) ==
               bounds.end());
}

void Histogram::Observe(double value) {
  std::size_t bucket = 0;
  while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
  Place& place = shards_[Shard()];
  place.counts[bucket].fetch_add(1, std::memory_order_relaxed);
  place.sum.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Read() const {
  Snapshot snapshot{std::vector<std::uint64_t>(bounds_.size() + 1), 0};
  for (const Place& place : shards_) {
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
      snapshot.counts[i] += place.counts[i].load(std::memory_order_relaxed);
    }
    snapshot.sum += place.sum.load(std::memory_order_relaxed);
  }
  return snapshot;
}

struct Counters::State final : NumberMetric<Counter> {
  using NumberMetric::NumberMetric;
};

Counters::Counters(const char* name, const char* help, std::initializer_list<const char*> labels)
    : state_(new State(name, help, "counter", labels, Merge::kSum)) {
  Registry::Add(state_);
  if (labels.size() == 0) state_->With({});  // Shows its 0 from the start.
}
Counter& Counters::With(LabelValues values) const { return state_->With(values); }
Reading Counters::Read(LabelValues values, ReadValue read) const {
  return state_->Read(values, std::move(read));
}

struct Gauges::State final : NumberMetric<Gauge> {
  using NumberMetric::NumberMetric;
};

Gauges::Gauges(const char* name, const char* help, std::initializer_list<const char*> labels,
               Merge merge)
    : state_(new State(name, help, "gauge", labels, merge)) {
  Registry::Add(state_);
}
Gauge& Gauges::With(LabelValues values) const { return state_->With(values); }
Reading Gauges::Read(LabelValues values, ReadValue read) const {
  return state_->Read(values, std::move(read));
}

struct Histograms::State final : Metric {
  State(const char* name, const char* help, std::span<const double> own_bounds,
        std::initializer_list<const char*> labels)
      : Metric(name, help, "histogram", labels), bounds(own_bounds) {}

  Histogram& With(LabelValues values) { return series.Find(values, label_count(), bounds); }

  void AppendSamples(std::string& text) override {
    std::map<Values, Histogram::Snapshot> snapshots;
    series.ForEach([&](const Values& values, const Histogram& histogram) {
      snapshots.emplace(values, histogram.Read());
    });
    for (const auto& [values, snapshot] : snapshots) {
      std::uint64_t count = 0;
      for (std::size_t i = 0; i < snapshot.counts.size(); ++i) {
        count += snapshot.counts[i];
        const std::string bound = i < bounds.size() ? Number(bounds[i]) : "+Inf";
        AppendSample(text, "_bucket", values, fmt::format("le=\"{}\"", bound),
                     fmt::format("{}", count));
      }
      AppendSample(text, "_sum", values, "", Number(snapshot.sum));
      AppendSample(text, "_count", values, "", fmt::format("{}", count));
    }
  }

  const std::span<const double> bounds;
  SeriesList<Histogram> series;
};

Histograms::Histograms(const char* name, const char* help, std::span<const double> bounds,
                       std::initializer_list<const char*> labels)
    : state_(new State(name, help, bounds, labels)) {
  Registry::Add(state_);
  if (labels.size() == 0) state_->With({});
}
Histogram& Histograms::With(LabelValues values) const { return state_->With(values); }

std::string Exposition() {
  std::string text;
  Registry& registry = Registry::Get();
  const MutexLock lock(registry.mutex);
  for (const auto& [name, metric] : registry.metrics) metric->Append(text);
  return text;
}

}  // namespace devicetrust::metrics
