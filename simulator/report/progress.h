// What is going on, while it goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/mutex.h"
#include "simulator/report/format.h"
#include "simulator/report/histogram.h"
#include "simulator/report/recorder.h"

namespace devicetrust::simulator {

// One kind of work: how much of it is done, how fast, how long each took. Thread-safe.
class Meter {
 public:
  // `total`: how many are to come. `recorder`, which outlives this, is told of each one under
  // `name`; null: nobody is.
  Meter(std::string name, std::uint64_t total, Recorder* recorder = nullptr)
      : name_(std::move(name)), total_(total), recorder_(recorder) {}

  void Start();  // The rate is counted from here; the first of several calls counts.
  void Done(std::chrono::microseconds took) { Done(took, took); }
  // `response` counts from the moment that the schedule had for it, `service` from its begin.
  void Done(std::chrono::microseconds response, std::chrono::microseconds service);
  void Failed();  // Counts towards the total, not into the latencies.
  void Stop();    // Ends the time that the rate is counted over.

  struct Snapshot {
    std::string name;
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    std::uint64_t errors = 0;
    double seconds = 0;  // From Start() to Stop() or now.
    Histogram latency;   // Response times.
    Histogram service;

    double PerSecond() const { return seconds > 0 ? static_cast<double>(done) / seconds : 0; }
  };
  Snapshot Read() const;

 private:
  using Monotonic = std::chrono::steady_clock;
  const std::string name_;
  const std::uint64_t total_;
  Recorder* const recorder_;
  mutable Mutex mutex_;
  std::uint64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t errors_ ABSL_GUARDED_BY(mutex_) = 0;
  Monotonic::time_point start_ ABSL_GUARDED_BY(mutex_){};
  Monotonic::time_point stop_ ABSL_GUARDED_BY(mutex_){};
  Histogram latency_ ABSL_GUARDED_BY(mutex_);
  Histogram service_ ABSL_GUARDED_BY(mutex_);
};

// The line of one meter, without its end: "enroll   ███░  800/800   640/s   p50 …". On a terminal
// too narrow for it, it lacks whole columns: bar, p50, rate, p99, in that order.
std::string ProgressLine(const Meter::Snapshot& meter, const Style& style);

// Shows meters while it lives: in place, ten times a second, on a terminal; as one plain
// line each 2 s elsewhere; each in full at the end.
class Progress {
 public:
  // `meters` and `out` outlive this object.
  Progress(std::FILE* out, const Style& style, std::vector<const Meter*> meters);
  ~Progress();  // Prints the last lines.
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void Draw(bool last);

  std::FILE* const out_;
  const Style style_;
  const std::vector<const Meter*> meters_;
  std::size_t lines_drawn_ = 0;
  BackgroundLoop loop_;  // Last: it uses all the others.
};

}  // namespace devicetrust::simulator
