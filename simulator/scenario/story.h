// One device from logon to app, step by step with what it really got; and one that is refused.
#pragma once

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/status.h"
#include "simulator/deployment/environment.h"
#include "simulator/devices/fleet.h"
#include "simulator/report/format.h"
#include "simulator/scenario/enroll_phase.h"
#include "simulator/scenario/sign_in_phase.h"

namespace devicetrust::simulator {

class Story {
 public:
  // All outlive it.
  // `verbose`: tickets, tokens and addresses as they are, besides the plain words.
  Story(std::FILE* out, const Style& style, bool verbose, Environment& environment,
        const Fleet& fleet)
      : out_(out), style_(style), verbose_(verbose), environment_(environment), fleet_(fleet) {}

  // The computer `device` proves itself and gets its certificate. The error of any step.
  absl::Status Enroll(EnrollPhase& phase, std::size_t device);
  // Its user signs in and is let in.
  absl::Status SignIn(SignInPhase& phase, std::size_t device);
  // The user of a device without certificate signs in and is refused.
  absl::Status Refusal(SignInPhase& phase, std::size_t device);

 private:
  using Monotonic = std::chrono::steady_clock;

  void Begin() { begun_ = Monotonic::now(); }
  // One line with the time since Begin(), of `at` or now, then indented ones.
  void Tell(std::string_view line, std::string_view details = "",
            std::optional<Monotonic::time_point> at = std::nullopt);
  // What the IWA will read from the PAC of an account's ticket.
  absl::Status TellTicket(const std::string& principal);
  absl::Status TellCertificate(EnrollPhase& phase, std::size_t device);
  // The newest decision on that user.
  absl::StatusOr<org::v1::Decision> LastDecision(const std::string& principal);

  std::FILE* const out_;
  const Style style_;
  const bool verbose_;
  Environment& environment_;
  const Fleet& fleet_;
  Monotonic::time_point begun_{};
};

}  // namespace devicetrust::simulator
