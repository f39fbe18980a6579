// Do the devices, the org's decisions and the System Log tell the same? What does not agree
// is a violation, in words and with its numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libs/admin/admin_client.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "simulator/devices/fleet.h"
#include "simulator/report/result.h"
#include "simulator/scenario/enroll_phase.h"
#include "simulator/scenario/sign_in_phase.h"

namespace devicetrust::simulator {

// What the devices saw, in figures.
struct Seen {
  std::uint64_t enrolled = 0;
  std::uint64_t revoked = 0;            // Certificates.
  std::uint64_t allowed_trusted = 0;    // By rule 2: domain-joined computers.
  std::uint64_t allowed_elsewhere = 0;  // By rule 3: phones and Macs.
  std::uint64_t denied_without = 0;     // By rule 4: no certificate.
  std::uint64_t denied_revoked = 0;     // By rule 4: a revoked one.
  std::uint64_t passwords = 0;
  std::uint64_t factors = 0;

  std::uint64_t visits() const {
    return allowed_trusted + allowed_elsewhere + denied_without + denied_revoked;
  }
};

// Counts, and checks each visit against what its device should have met. Adds to
// `result.violations`.
Seen CountVisits(const Fleet& fleet, const EnrollPhase& enroll, const SignInPhase& sign_in,
                 std::uint64_t revoked, RunResult& result);

// The rule of the five that must have decided a visit, and how: for who counts while it goes on.
std::pair<std::string, std::string> RuleOf(const FleetDevice& device, const VisitRecord& visit);

// Waits until the System Log has as many events as `seen` implies, at most for `delivery`, then
// compares; fills `decisions`, `system_log` and `violations`. Errors: of the calls.
absl::Status CompareWithLog(admin::AdminClient& admin, WallTime since, const Seen& seen,
                            RunResult& result,
                            std::chrono::milliseconds delivery = std::chrono::seconds(10));

}  // namespace devicetrust::simulator
