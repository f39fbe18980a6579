// Was what happened right? Each visit against what the scenario expects; devices, decisions and
// System Log against one another; and what must hold in every run: no sign-in by a certificate that
// was revoked, every acknowledged certificate there, each event once, no private key where it does
// not belong. What does not hold is a violation, in words and with its numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libs/admin/admin_client.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "simulator/devices/fleet.h"
#include "simulator/report/result.h"
#include "simulator/scenario/enroll_phase.h"
#include "simulator/scenario/faults.h"
#include "simulator/scenario/file/scenario_spec.h"
#include "simulator/scenario/sign_in_phase.h"

namespace devicetrust::simulator {

// What the devices saw, in figures.
struct Seen {
  std::uint64_t issued = 0;
  std::uint64_t holders = 0;         // Computers with a certificate.
  std::uint64_t revoked = 0;         // Certificates.
  std::uint64_t allowed = 0;         // Visits.
  std::uint64_t denied_without = 0;  // No certificate was shown.
  std::uint64_t denied_revoked = 0;  // One that was revoked.
  std::uint64_t denied_otherwise = 0;
  std::uint64_t shown = 0;  // Certificates at device challenges of visits.
  std::uint64_t passwords = 0;
  std::uint64_t factors = 0;
  std::uint64_t errors = 0;  // Visits and enrollments that failed: the log may know of parts.

  std::uint64_t denied() const { return denied_without + denied_revoked + denied_otherwise; }
  std::uint64_t visits() const { return allowed + denied(); }
};

// All that a run has to be judged by.
struct Evidence {
  const ScenarioSpec* spec = nullptr;
  const Fleet* fleet = nullptr;
  const EnrollPhase* enroll = nullptr;
  const SignInPhase* sign_in = nullptr;
  const FaultRunner* faults = nullptr;
};

// Promised from a revocation to the last gateway, and from a change of the org's.
inline constexpr std::chrono::seconds kBound{1};

// Counts, and judges each visit and enrollment by `expect`; what overlaps a fault is judged by
// expectations that name the fault alone. Adds to `result.violations`.
Seen JudgeVisits(const Evidence& evidence, RunResult& result);

// Is told of each decision.
using Decided = std::function<void(const std::string& rule, bool allowed, WallTime at)>;

// Waits until the System Log has as many events as `seen` implies, at most for `delivery`, then
// compares; fills `decisions`, `system_log` and `violations`. Errors: of the calls.
absl::Status CompareWithLog(admin::AdminClient& admin, WallTime since, const Seen& seen,
                            const ScenarioSpec& spec, const std::vector<Revocation>& revocations,
                            RunResult& result, const Decided& told = {},
                            std::chrono::milliseconds delivery = std::chrono::seconds(10));

// Every certificate that a device holds is one that the CA knows. Errors: of the call.
absl::Status CheckCertificates(admin::AdminClient& admin, const EnrollPhase& enroll,
                               RunResult& result);

// Sockets that this process has open.
std::size_t OpenSockets();

// No private key of a device lies in a file of `folder`; a few devices are looked for.
void CheckKeys(const std::string& folder, const EnrollPhase& enroll, RunResult& result);

}  // namespace devicetrust::simulator
