// One person opens one app in a browser: from the service provider's request, over whatever
// the org asks (password, device challenge, second factor), to its verified answer or refusal.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/base/task.h"
#include "simulator/apps/service_provider.h"
#include "simulator/browser/browser.h"
#include "simulator/devices/fleet.h"
#include "simulator/report/histogram.h"

namespace devicetrust::simulator {

enum class Step { kRequest, kPassword, kChallenge, kDecision, kFactor, kVerify };
inline constexpr std::size_t kSteps = 6;
std::string_view StepName(Step step);  // "challenge (mTLS handshake)"

using StepTimes = std::array<Histogram, kSteps>;  // One a thread.

struct VisitEnd {
  bool allowed = false;
  bool challenged = false;    // The browser was sent to an mTLS host.
  bool factor_asked = false;  // And it was right.
  std::string code;           // Of the refusal.
  Assertion assertion;        // When allowed.
};

struct Visit {
  Browser* browser = nullptr;
  ServiceProvider* app = nullptr;
  const FleetUser* user = nullptr;
  ServiceProvider::Binding binding = ServiceProvider::Binding::kRedirect;
  std::string relay_state;
  const Clock* clock = nullptr;
  StepTimes* times = nullptr;
  // Called after each step, for the story; may be empty. `page` is null for kVerify.
  std::function<void(Step step, std::chrono::microseconds took, const Page* page)> watch;
};

// A refusal by policy is a VisitEnd, not an error. Errors: those of browser and service
// provider; kInternal for a page that was not expected, with its status, title and code.
Task<absl::StatusOr<VisitEnd>> OpenApp(Visit visit);

}  // namespace devicetrust::simulator
