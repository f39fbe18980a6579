// Every domain-joined computer of a fleet runs its agent, which is the shipped one, until its
// user's store holds a certificate.
#pragma once

#include <array>
#include <chrono>
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
#include "simulator/report/failures.h"
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
  std::size_t threads = 96;             // Computers under way at once: an attempt blocks.
};

class EnrollPhase {
 public:
  EnrollPhase(EnrollConfig config, Meter& meter);
  ~EnrollPhase();

  // One computer alone, on this thread, with every step told to `trace`; Run() then leaves it
  // out. The error of a refused or given-up enrollment.
  absl::Status RunOne(std::size_t device, const agent::Trace& trace);

  // All the others. Blocks. The error of `watch`; a computer that fails is none, it is in
  // errors().
  absl::Status Run();

  // What a browser on that device would find. None for devices outside the domain.
  std::optional<pki::ExportableIdentity> IdentityOf(std::size_t device) const;
  std::size_t enrolled() const { return enrolled_; }
  // Duration of each step that went well, by agent::Step.
  const std::array<Histogram, agent::kStepCount>& times() const { return times_; }
  const Failures& errors() const { return errors_; }

 private:
  using Monotonic = std::chrono::steady_clock;
  struct Job;  // One computer's enrollment under way.

  std::unique_ptr<Job> NewJob(std::size_t device, const agent::Trace& more);
  void Work();
  std::unique_ptr<Job> NextJob();
  // Back from one attempt: ended, or to be tried again.
  void Return(std::unique_ptr<Job> job, const agent::Outcome& outcome);
  void TellSlowest(const Job& job) const;
  void End(const Job& job, const agent::Outcome& outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EnrollConfig config_;
  Meter& meter_;
  ComputerWorld world_;
  agent::NetworkServices services_;
  std::vector<SimulatedComputer> computers_;  // By device; domain-joined ones only.

  Mutex mutex_;
  CondVar wake_;
  std::vector<bool> begun_ ABSL_GUARDED_BY(mutex_);
  std::size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // Begun and not ended.
  struct Later {
    bool operator()(const std::unique_ptr<Job>& a, const std::unique_ptr<Job>& b) const;
  };
  std::priority_queue<std::unique_ptr<Job>, std::vector<std::unique_ptr<Job>>, Later> waiting_
      ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  // Written under the lock, read when the phase is over.
  std::size_t enrolled_ = 0;
  std::array<Histogram, agent::kStepCount> times_;
  Failures errors_;
};

}  // namespace devicetrust::simulator
