// What goes wrong in a run, and what administrators do: begun and ended when the scenario says, at
// the seams of the environment, and written down for who judges what happened meanwhile.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "simulator/deployment/environment.h"
#include "simulator/devices/fleet.h"
#include "simulator/scenario/file/scenario_spec.h"

namespace devicetrust::simulator {

// One certificate that was revoked.
struct Revocation {
  using Moment = std::chrono::steady_clock::time_point;

  std::size_t device = 0;
  std::string serial;
  Moment at;  // When the CA had answered.
  WallTime wall;
};

// One fault, from begin to end.
struct FaultBand {
  using Moment = std::chrono::steady_clock::time_point;

  std::size_t fault = 0;  // Index in the spec.
  Moment begin;
  std::optional<Moment> end;  // None: it stays. Of what is done once: when it was done.
};

// All from one thread.
class FaultRunner {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  struct Config {
    const ScenarioSpec* spec = nullptr;
    const Fleet* fleet = nullptr;
    Environment* environment = nullptr;
    const Clock* clock = nullptr;
    std::function<std::optional<pki::ExportableIdentity>(std::size_t device)> identity_of;
    // Told of each that begins and ends; may be empty.
    std::function<void(const std::string& name, bool begins)> tell;
  };
  // What a phase that runs can be asked.
  struct Phase {
    std::size_t index = 0;
    std::function<double()> done_share;      // 0 to 1.
    std::function<bool()> held_wait;         // All who wait for a revocation do.
    std::function<void(Moment at)> release;  // It has come.
  };

  // kInvalidArgument, with the place in the file, for a fault that can't be with or without
  // processes of their own.
  static absl::Status CheckPossible(const ScenarioSpec& spec, bool processes);
  // The links that the faults need, for EnvironmentConfig.
  static std::vector<Link> LinksOf(const ScenarioSpec& spec);

  explicit FaultRunner(Config config);
  ~FaultRunner();  // Ends what is still in force.

  // Devices whose certificates will be revoked in that phase; to be asked before it begins.
  const std::vector<std::size_t>& Victims(std::size_t phase);
  void Begin(Phase phase);
  // Begins and ends what is due. Errors: of the environment; they end a run.
  absl::Status Poll();
  // The phase is over; what did not come is in missed(). Faults in force go on.
  void End();
  absl::Status EndAll();

  const std::vector<FaultBand>& bands() const { return bands_; }
  const std::vector<Revocation>& revocations() const { return revocations_; }
  // By user: when somebody was deactivated, and active again.
  struct Absence {
    std::size_t user = 0;
    Moment from;
    std::optional<Moment> until;
  };
  const std::vector<Absence>& absences() const { return absences_; }
  const std::vector<std::string>& missed() const { return missed_; }

 private:
  enum class State { kPending, kInForce, kDone };

  bool Due(const FaultSpec& fault) const;
  absl::Status BeginFault(std::size_t index);
  absl::Status EndFault(std::size_t index);
  // Makes it so, or undoes it.
  absl::Status Apply(const FaultSpec& fault, bool on);
  absl::Status ApplyRules(const FaultSpec& fault, bool on);
  absl::Status ApplyPeople(const FaultSpec& fault, bool on);
  absl::Status Revoke(std::size_t index);
  std::vector<std::size_t> Choose(const FaultSpec& fault) const;

  const Config config_;
  std::optional<Phase> phase_;
  Moment phase_began_{};
  std::vector<State> states_;                                    // By fault.
  std::vector<std::optional<std::size_t>> band_;                 // By fault: in bands_.
  std::vector<std::optional<std::vector<std::size_t>>> chosen_;  // By fault that revokes.
  std::vector<std::size_t> victims_;                             // Of the last Victims().
  std::vector<FaultBand> bands_;
  std::vector<Revocation> revocations_;
  std::vector<Absence> absences_;
  std::vector<std::string> missed_;
};

}  // namespace devicetrust::simulator
