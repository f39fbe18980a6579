// Writes down what happens in a run, while it happens.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "libs/base/mutex.h"
#include "simulator/report/recording.h"
#include "simulator/report/resources.h"

namespace devicetrust::simulator {

// Thread-safe. Its memory has a bound: so many slots of time, of names of each kind, of steps of a
// story; what is beyond is not recorded, and a run that outlasts its slots has longer ones.
class Recorder {
 public:
  using Monotonic = std::chrono::steady_clock;
  using Moment = Monotonic::time_point;
  using Duration = Histogram::Duration;

  static constexpr std::size_t kSlotsMax = 480;  // Even: two become one when there are more.
  static constexpr std::size_t kNamesMax = 32;   // Of each kind.
  static constexpr std::size_t kFaultsMax = 256;
  static constexpr std::size_t kStepsMax = 64;  // Of a story.

  explicit Recorder(Moment begun = Monotonic::now()) : begun_(begun) {}

  // One that ended well. `response` counts from the moment that the schedule had for it, `service`
  // from the one at which it began.
  void Done(std::string_view operation, Duration response, Duration service,
            Moment now = Monotonic::now());
  void Failed(std::string_view operation, Moment now = Monotonic::now());
  void Decided(std::string_view rule, std::string_view outcome, Moment now = Monotonic::now());
  void Gauge(std::string_view name, double value, Moment now = Monotonic::now());
  // CPU time counts from the reading before.
  void Used(const Resources& resources, Moment now = Monotonic::now());

  // A fault of a name lasts until it ends; what happens at once ends as it begins.
  void FaultBegins(std::string_view name, Moment now = Monotonic::now());
  void FaultEnds(std::string_view name, Moment now = Monotonic::now());
  void Happened(std::string_view name, Moment now = Monotonic::now());

  // Of stories of one title the one that took longest is kept.
  void Tell(StoryRecord story, Moment now = Monotonic::now());
  // Whether a story of that title that took so long would be kept: what is costly to tell is told
  // only then.
  bool WantsStory(std::string_view title, Duration took) const;

  void Judged(std::vector<ThresholdRecord> thresholds);

  Recording Read(Moment now = Monotonic::now()) const;

 private:
  std::size_t SlotAt(Moment now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  double SecondsAt(Moment now) const;
  // Null: there are kNamesMax others.
  OperationRecord* Operation(std::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddFault(FaultRecord fault) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  struct Seen {
    int pid = 0;
    double cpu_seconds = 0;
  };

  const Moment begun_;
  mutable Mutex mutex_;
  Recording recording_ ABSL_GUARDED_BY(mutex_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);  // By place in recording_.processes.
};

}  // namespace devicetrust::simulator
