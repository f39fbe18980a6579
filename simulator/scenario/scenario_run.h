// A scenario in a running environment: its phases one after the other, with its faults meanwhile,
// and the judgement at the end.
#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "simulator/deployment/environment.h"
#include "simulator/devices/fleet.h"
#include "simulator/report/format.h"
#include "simulator/report/progress.h"
#include "simulator/report/result.h"
#include "simulator/scenario/enroll_phase.h"
#include "simulator/scenario/faults.h"
#include "simulator/scenario/file/scenario_spec.h"
#include "simulator/scenario/sign_in_phase.h"
#include "simulator/scenario/verification.h"

namespace devicetrust::simulator {

// The people and devices of a scenario.
Fleet FleetOf(const ScenarioSpec& spec);

struct ScenarioRunConfig {
  const ScenarioSpec* spec = nullptr;
  const Fleet* fleet = nullptr;
  Environment* environment = nullptr;
  std::vector<ServiceProvider*> apps;  // As in the spec, and in that order.
  std::vector<pki::Certificate> web_trust;
  const Clock* clock = nullptr;
  Random* random = nullptr;             // Thread-safe.
  std::function<absl::Status()> watch;  // Called now and then; an error ends the run.
  Recorder* recorder = nullptr;
  std::FILE* out = nullptr;  // For progress and stories.
  Style style;
  bool narrate = false;  // The story of the first device.
  bool verbose = false;
};

class ScenarioRun {
 public:
  // All that the configuration points to outlives it.
  explicit ScenarioRun(ScenarioRunConfig config);
  ~ScenarioRun();

  // All phases. Errors: of `watch` and of the environment; kCancelled: a threshold that aborts does
  // not hold any more.
  absl::Status Run();
  // Judges, and fills `result`: figures, steps, decisions, thresholds' verdicts, violations.
  // Errors: of calls to the org and the CA.
  absl::Status Verify(WallTime since, const Resources& resources, RunResult& result);
  // What is there of it, without any judgement: for a run that was ended.
  void FillFigures(RunResult& result) const;

  const EnrollPhase& enroll() const { return *enroll_; }
  // The most that each process needed in any phase, and the CPU time of both sides in phases of a
  // kind.
  const Resources& peak() const { return peak_; }
  double enroll_cpu_seconds() const { return enroll_cpu_seconds_; }
  double visits_cpu_seconds() const { return visits_cpu_seconds_; }
  const SignInPhase& sign_in() const { return *sign_in_; }
  const FaultRunner& faults() const { return *faults_; }
  const Seen& seen() const { return seen_; }
  std::vector<Verdict> Verdicts(const Resources& resources) const;

 private:
  absl::Status Watch();
  absl::Status TellStory();
  absl::Status RunPhase(std::size_t index);
  absl::Status RunEnrollment(const PhaseSpec& phase, std::size_t index);
  absl::Status RunVisits(const PhaseSpec& phase, std::size_t index);
  absl::Status RunWait(const PhaseSpec& phase);
  // How many visits are to come in the first apps of people, and in others.
  void CountVisits();
  std::vector<std::size_t> Computers(const PhaseSpec& phase) const;
  std::vector<std::size_t> People(const PhaseSpec& phase, std::size_t index,
                                  const std::vector<std::size_t>& apart) const;
  std::optional<double> Measured(const std::string& metric, const Resources& resources) const;
  std::string FellBehind() const;

  const ScenarioRunConfig config_;
  const ScenarioSpec& spec_;
  const Fleet& fleet_;
  std::unique_ptr<Meter> enroll_meter_, renew_meter_, signin_meter_, next_meter_;
  std::unique_ptr<EnrollPhase> enroll_;
  std::unique_ptr<SignInPhase> sign_in_;
  std::unique_ptr<FaultRunner> faults_;
  std::vector<bool> told_;  // By user: in the story, and not in the phases.
  std::chrono::steady_clock::time_point judged_at_{};
  Resources peak_;
  double enroll_cpu_seconds_ = 0;
  double visits_cpu_seconds_ = 0;
  Seen seen_;
};

}  // namespace devicetrust::simulator
