// Counters, gauges and histograms that Prometheus reads.
//
// A metric is a constant of its component's metrics.h; docs/metrics.md lists them all:
//
//   inline const metrics::Counters kEnrollments(
//       "dt_ca_enrollments_total", "Enrollments, by result.", {"result"});
//   ...
//   kEnrollments.With({"issued"}).Add();
//
// Names begin with dt_ and the component; units are seconds and bytes and come last, before the
// `_total` of counters (https://prometheus.io/docs/practices/naming). Values of labels come from
// small sets that the program knows, such as reasons, methods and listeners; never an id of a
// user or a device, nothing that a stranger chooses.
//
// Metrics belong to the process, not to a server in it: two gateways of one process count into
// the same ones. Everything here is thread-safe and works until the process has ended.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace devicetrust::metrics {

// Each thread writes to one of so many places, so that threads rarely share a cache line.
inline constexpr std::size_t kShards = 8;
std::size_t NewShard();
inline std::size_t Shard() {
  static constinit thread_local std::size_t shard = kShards;
  if (shard == kShards) [[unlikely]] {
    shard = NewShard();
  }
  return shard;
}

// A number that only grows. Add() takes 2 to 6 ns.
class Counter {
 public:
  void Add(std::uint64_t count = 1) {
    shards_[Shard()].count.fetch_add(count, std::memory_order_relaxed);
  }
  std::uint64_t Value() const;

 private:
  struct alignas(64) Place {
    std::atomic<std::uint64_t> count{0};
  };
  std::array<Place, kShards> shards_;
};

// A number that goes up and down.
class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  void Add(double change) { value_.fetch_add(change, std::memory_order_relaxed); }
  double Value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Upper ends of buckets: of latencies in seconds, and of how many there are of something.
inline constexpr std::array kLatencyBuckets{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                            0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                            1.0,    2.5,     5.0,    10.0};
inline constexpr std::array kSizeBuckets{1.0,  2.0,  4.0,   8.0,   16.0,  32.0,
                                         64.0, 128., 256.0, 512.0, 1024.0};

// How often values fell into which bucket, and their sum. Observe() takes 5 to 15 ns.
class Histogram {
 public:
  static constexpr std::size_t kBucketsMax = 16;
  struct Snapshot {
    std::vector<std::uint64_t> counts;  // One for each bucket, then one for what lies above.
    double sum = 0;
  };

  // `bounds`: at most kBucketsMax, growing; they outlive it.
  explicit Histogram(std::span<const double> bounds);

  void Observe(double value);
  void Observe(std::chrono::steady_clock::duration latency) {
    Observe(std::chrono::duration<double>(latency).count());
  }
  Snapshot Read() const;

 private:
  struct alignas(64) Place {
    std::array<std::atomic<std::uint64_t>, kBucketsMax + 1> counts{};
    std::atomic<double> sum{0};
  };
  std::span<const double> bounds_;
  std::array<Place, kShards> shards_;
};

// Observes the time from its birth to its death.
class Stopwatch {
 public:
  explicit Stopwatch(Histogram& histogram) : histogram_(histogram) {}
  ~Stopwatch() { histogram_.Observe(std::chrono::steady_clock::now() - start_); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  Histogram& histogram_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Asked for the value of a series at each scrape, as long as the Reading lives that Read()
// returned; never afterwards. It must not make or end a Reading, and must not wait long.
using ReadValue = std::function<double()>;
class [[nodiscard]] Reading {
 public:
  Reading() = default;
  explicit Reading(std::shared_ptr<void> entry) : entry_(std::move(entry)) {}

 private:
  std::shared_ptr<void> entry_;  // Its deleter forgets the function.
};

// What one series shows when several parts of a process tell a value for it.
enum class Merge { kSum, kLeast, kGreatest };

using LabelValues = std::initializer_list<std::string_view>;

// The metrics: a name, what it tells in a sentence, and names of labels, all of them literals.
// With() finds or makes the series of those values, as many and in that order. It takes up to
// 100 ns; the series stays for ever, so hot code may keep the reference. Beyond kSeriesMax series,
// all further ones count as one whose labels say "other".
inline constexpr std::size_t kSeriesMax = 256;

class Counters {
 public:
  Counters(const char* name, const char* help, std::initializer_list<const char*> labels = {});
  Counter& With(LabelValues values = {}) const;
  Reading Read(LabelValues values, ReadValue read) const;

 private:
  struct State;
  State* const state_;
};

class Gauges {
 public:
  Gauges(const char* name, const char* help, std::initializer_list<const char*> labels = {},
         Merge merge = Merge::kSum);
  Gauge& With(LabelValues values = {}) const;
  Reading Read(LabelValues values, ReadValue read) const;

 private:
  struct State;
  State* const state_;
};

class Histograms {
 public:
  // `bounds` is a constant, such as kLatencyBuckets.
  Histograms(const char* name, const char* help, std::span<const double> bounds,
             std::initializer_list<const char*> labels = {});
  Histogram& With(LabelValues values = {}) const;

 private:
  struct State;
  State* const state_;
};

// What all metrics of the process are now, sorted by name: Prometheus' text format 0.0.4.
inline constexpr char kContentType[] = "text/plain; version=0.0.4; charset=utf-8";
std::string Exposition();

}  // namespace devicetrust::metrics
