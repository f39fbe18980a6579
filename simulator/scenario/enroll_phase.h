// Domain-joined computers of a fleet run their agent, which is the shipped one, until their users'
// stores hold a certificate, or another one; at once or as a schedule says.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "agent/enrollment.h"
#include "agent/network_services.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "simulator/devices/fleet.h"
#include "simulator/devices/simulated_computer.h"
#include "simulator/forest/forests.h"
#include "simulator/report/progress.h"

namespace devicetrust::simulator {

struct EnrollConfig {
  const Fleet* fleet = nullptr;
  Forests* forests = nullptr;  // With the fleet in them.
  std::string org_url;         // Where the agents are told to look.
  std::string org_trust_pem;   // Who signs its certificate.
  const Clock* clock = nullptr;
  Random* random = nullptr;             // Thread-safe.
  std::function<absl::Status()> watch;  // Called now and then; an error ends the phase.
  Recorder* recorder = nullptr;         // Is told how many hold a certificate, and of the slowest.
  std::size_t threads = 96;             // Attempts under way at once: each blocks.
  std::string http_proxy = {};          // Of all agents; empty: none.
};

// What became of one computer in one pass.
struct EnrollRecord {
  using Moment = std::chrono::steady_clock::time_point;

  std::uint32_t device = 0;
  std::uint16_t phase = 0;
  bool good = false;
  Moment began;  // Really, not as scheduled.
  Moment ended;
  std::string reason;  // Of a failure: its kind, and what was said.
  std::string why;
};

inline constexpr std::uint16_t kStoryEnrollment = UINT16_MAX;  // Before all phases.

struct EnrollPass {
  std::uint16_t phase = 0;
  std::vector<std::size_t> devices;  // Domain-joined ones, in the order in which they begin.
  std::vector<std::chrono::nanoseconds> schedule;  // Of each of `devices`; empty: a closed loop.
  std::size_t at_once = 96;  // Closed: computers under way, up to EnrollConfig::threads.
  bool renew = false;        // Whatever is in the store.
};

class EnrollPhase {
 public:
  EnrollPhase(EnrollConfig config, Meter& meter);
  ~EnrollPhase();

  // One computer alone, on this thread, with every step told to `trace`. The error of a refused or
  // given-up enrollment.
  absl::Status RunOne(std::size_t device, const agent::Trace& trace);

  // All computers at once.
  EnrollPass AllOf() const;

  // Blocks. The error of `watch`; a computer that fails is none, it is in the records. `meter`
  // counts it.
  absl::Status Run(const EnrollPass& pass, Meter& meter);

  // During Run(), from `watch`: how much of it is done, 0 to 1.
  double DoneShare() const;

  // What a browser on that device would find. None for devices outside the domain.
  std::optional<pki::ExportableIdentity> IdentityOf(std::size_t device) const;
  // Certificates that were installed, further ones of a computer too.
  std::uint64_t issued() const { return issued_; }
  std::size_t computers() const { return computers_.size(); }
  const std::vector<EnrollRecord>& records() const { return records_; }
  std::vector<std::string> Problems() const;       // What failed, equal ones as one line.
  const Histogram& late() const { return late_; }  // By how much they began after their moment.
  // Duration of each step that went well, by agent::Step.
  const std::array<Histogram, agent::kStepCount>& times() const { return times_; }

 private:
  using Monotonic = std::chrono::steady_clock;
  struct Job;  // One computer's enrollment under way.

  std::unique_ptr<Job> NewJob(std::size_t device, const EnrollPass& pass, const agent::Trace& more);
  void Work();
  std::unique_ptr<Job> NextJob();
  // Back from one attempt: ended, or to be tried again.
  void Return(std::unique_ptr<Job> job, const agent::Outcome& outcome);
  void TellSlowest(const Job& job) const;
  void End(const Job& job, const agent::Outcome& outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EnrollConfig config_;
  Meter* meter_;
  ComputerWorld world_;
  agent::NetworkServices services_;
  std::vector<SimulatedComputer> computers_;  // By device; domain-joined ones only.

  const EnrollPass* pass_ = nullptr;  // That runs.
  Monotonic::time_point begun_{};     // When it began.
  std::atomic<std::size_t> ended_{0};

  Mutex mutex_;
  CondVar wake_;
  std::size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // Begun and not ended.
  struct Later {
    bool operator()(const std::unique_ptr<Job>& a, const std::unique_ptr<Job>& b) const;
  };
  std::priority_queue<std::unique_ptr<Job>, std::vector<std::unique_ptr<Job>>, Later> waiting_
      ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  // Written under the lock, read when the phase is over.
  std::uint64_t issued_ = 0;
  std::array<Histogram, agent::kStepCount> times_;
  Histogram late_;
  std::vector<EnrollRecord> records_;
};

}  // namespace devicetrust::simulator
