// What can go wrong with a running environment, at the seams where it does in real life.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

#include "policy-engine/metrics.h"
#include "simulator/deployment/environment.h"

namespace devicetrust::simulator {
namespace {

constexpr std::array<std::string_view, kParts> kPartNames = {"kdc", "iwa", "ca", "policy",
                                                             "gateway"};
constexpr std::array<std::string_view, kLinks> kLinkNames = {"directory", "policy", "ca"};

absl::Status NotHere(Part part, std::string_view what) {
  return absl::FailedPreconditionError(fmt::format("{} {}", PartName(part), what));
}

}  // namespace

std::string_view PartName(Part part) { return kPartNames[static_cast<std::size_t>(part)]; }

std::optional<Part> FindPart(std::string_view name) {
  const auto found = std::ranges::find(kPartNames, name);
  if (found == kPartNames.end()) return std::nullopt;
  return static_cast<Part>(found - kPartNames.begin());
}

std::optional<Link> FindLink(std::string_view name) {
  const auto found = std::ranges::find(kLinkNames, name);
  if (found == kLinkNames.end()) return std::nullopt;
  return static_cast<Link>(found - kLinkNames.begin());
}

absl::StatusOr<std::string> Environment::By(Link link, const std::string& address) {
  if (std::ranges::find(config_.links, link) == config_.links.end()) return address;
  DT_ASSIGN_OR_RETURN(std::unique_ptr<TcpRelay> relay, TcpRelay::Start(address));
  const std::string by = relay->address();
  relays_.emplace_back(link, std::move(relay));
  return by;
}

ComponentLauncher Environment::LauncherFor(Part part) const {
  return ComponentLauncher({config_.processes, config_.bin_dir, config_.run_dir,
                            &clocks_[static_cast<std::size_t>(part)], &random_});
}

absl::Status Environment::LaunchPolicy() {
  if (evaluations_before_.empty()) {
    evaluations_before_ = policy::kEvaluationSeconds.With().Read().counts;
  }
  DT_ASSIGN_OR_RETURN(policy_, LauncherFor(Part::kPolicy).Start(policy_config_));
  return absl::OkStatus();
}

absl::Status Environment::LaunchCa() {
  DT_ASSIGN_OR_RETURN(ca_, LauncherFor(Part::kCa).Start(ca_config_));
  return absl::OkStatus();
}

absl::Status Environment::LaunchIwa() {
  DT_ASSIGN_OR_RETURN(iwa_, LauncherFor(Part::kIwa).Start(iwa_config_));
  return absl::OkStatus();
}

absl::Status Environment::LaunchGateway() {
  DT_ASSIGN_OR_RETURN(gateway_, LauncherFor(Part::kGateway).Start(gateway_config_));
  return absl::OkStatus();
}

std::unique_ptr<RunningComponent>& Environment::ComponentOf(Part part) {
  switch (part) {
    case Part::kIwa:
      return iwa_;
    case Part::kCa:
      return ca_;
    case Part::kPolicy:
      return policy_;
    default:
      return gateway_;
  }
}

absl::Status Environment::Check() const {
  for (const RunningComponent* component : {policy_.get(), ca_.get(), iwa_.get(), gateway_.get()}) {
    if (component != nullptr) DT_RETURN_IF_ERROR(component->Check());
  }
  return kdc_stopped_ ? absl::OkStatus() : forests_->kdc().Check();
}

absl::Status Environment::StopPart(Part part) {
  if (part == Part::kKdc) {
    kdc_stopped_ = true;
    forests_->kdc().Stop();
  } else {
    ComponentOf(part).reset();
  }
  return absl::OkStatus();
}

absl::Status Environment::StartPart(Part part) {
  switch (part) {
    case Part::kKdc:
      DT_RETURN_IF_ERROR(forests_->kdc().StartAgain());
      kdc_stopped_ = false;
      return absl::OkStatus();
    case Part::kIwa:
      return LaunchIwa();
    case Part::kCa:
      return LaunchCa();
    case Part::kPolicy:
      return LaunchPolicy();
    case Part::kGateway:
      return LaunchGateway();
  }
  return absl::OkStatus();
}

absl::Status Environment::SetPaused(Part part, bool paused) {
  const int signal = paused ? SIGSTOP : SIGCONT;
  if (part == Part::kKdc) {
    forests_->kdc().Signal(signal);
  } else if (ComponentOf(part) == nullptr || !ComponentOf(part)->Signal(signal)) {
    return NotHere(part, "runs inside dt-sim and can't be paused: add --processes");
  }
  paused_[static_cast<std::size_t>(part)] = paused;
  return absl::OkStatus();
}

absl::Status Environment::SetLink(Link link, std::chrono::nanoseconds delay, bool cut) {
  bool found = false;
  for (const auto& [one, relay] : relays_) {
    if (one != link) continue;
    relay->SetDelay(delay);
    relay->SetCut(cut);
    found = true;
  }
  if (found) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("no relay stands before {}", kLinkNames[static_cast<std::size_t>(link)]));
}

absl::Status Environment::SetClock(Part part, std::chrono::nanoseconds by) {
  if (config_.processes || part == Part::kKdc) {
    return NotHere(part, "is a process, whose clock is the machine's: run without --processes");
  }
  clocks_[static_cast<std::size_t>(part)].Set(by);
  return absl::OkStatus();
}

std::optional<double> Environment::EvaluationSeconds(double percent) const {
  if (config_.processes) return std::nullopt;
  std::vector<std::uint64_t> counts = policy::kEvaluationSeconds.With().Read().counts;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (i < evaluations_before_.size()) counts[i] -= evaluations_before_[i];
    all += counts[i];
  }
  if (all == 0) return std::nullopt;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    seen += counts[i];
    if (static_cast<double>(seen) < percent / 100 * static_cast<double>(all)) continue;
    return i < metrics::kLatencyBuckets.size() ? metrics::kLatencyBuckets[i]
                                               : 2 * metrics::kLatencyBuckets.back();
  }
  return std::nullopt;
}

}  // namespace devicetrust::simulator
