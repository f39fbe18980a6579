#include "simulator/scenario/faults.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace devicetrust::simulator {
namespace {

using Kind = FaultSpec::Kind;
using FaultMoment = FaultRunner::Moment;

FaultMoment FaultNow() { return std::chrono::steady_clock::now(); }

}  // namespace

absl::Status FaultRunner::CheckPossible(const ScenarioSpec& spec, bool processes) {
  for (const FaultSpec& fault : spec.faults) {
    if (fault.kind == Kind::kPause && fault.target != "kdc" && !processes) {
      return ErrorAt(spec.file, fault.place,
                     fmt::format("{} can't be paused: it runs inside dt-sim", fault.target),
                     "Run it with --processes.");
    }
    if (fault.kind == Kind::kClock && processes) {
      return ErrorAt(spec.file, fault.place,
                     fmt::format("the clock of {} can't be moved: it is a process, whose clock is "
                                 "the machine's",
                                 fault.target),
                     "Run it without --processes.");
    }
  }
  return absl::OkStatus();
}

std::vector<Link> FaultRunner::LinksOf(const ScenarioSpec& spec) {
  std::vector<Link> links;
  for (const FaultSpec& fault : spec.faults) {
    if (fault.kind != Kind::kSlow && fault.kind != Kind::kCut) continue;
    const Link link = FindLink(fault.target).value();
    if (std::ranges::find(links, link) == links.end()) links.push_back(link);
  }
  return links;
}

FaultRunner::FaultRunner(Config config)
    : config_(std::move(config)),
      states_(config_.spec->faults.size(), State::kPending),
      band_(config_.spec->faults.size()),
      chosen_(config_.spec->faults.size()) {}

FaultRunner::~FaultRunner() { static_cast<void>(EndAll()); }

const std::vector<std::size_t>& FaultRunner::Victims(std::size_t phase) {
  victims_.clear();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const FaultSpec& fault = config_.spec->faults[i];
    if (fault.kind != Kind::kRevoke || fault.phase != phase) continue;
    if (!chosen_[i].has_value()) chosen_[i] = Choose(fault);
    victims_.insert(victims_.end(), chosen_[i]->begin(), chosen_[i]->end());
  }
  return victims_;
}

// Spread over the domain from its middle, each once, and not the first one, whose story is told.
std::vector<std::size_t> FaultRunner::Choose(const FaultSpec& fault) const {
  const std::size_t joined = config_.fleet->domain_joined;
  std::vector<bool> taken(joined);
  if (joined > 1) taken[0] = true;
  for (const auto& chosen : chosen_) {
    if (!chosen.has_value()) continue;
    for (const std::size_t device : *chosen) taken[device] = true;
  }
  std::size_t free = 0;
  for (std::size_t device = 0; device < joined; ++device) {
    if (!taken[device] && !config_.identity_of(device).has_value()) taken[device] = true;
    free += taken[device] ? 0U : 1U;
  }
  const double part = std::ceil(static_cast<double>(free) * fault.percent / 100);
  const std::size_t count =
      std::min(free, fault.count > 0 ? fault.count : static_cast<std::size_t>(part));
  std::vector<std::size_t> chosen;
  for (std::size_t at = joined / 2; chosen.size() < count; at += 7) {
    while (taken[at % joined]) ++at;
    taken[at % joined] = true;
    chosen.push_back(at % joined);
  }
  return chosen;
}

void FaultRunner::Begin(Phase phase) {
  phase_ = std::move(phase);
  phase_began_ = FaultNow();
}

bool FaultRunner::Due(const FaultSpec& fault) const {
  if (!phase_.has_value() || fault.phase != phase_->index) return false;
  if (fault.kind == Kind::kRevoke && phase_->held_wait && !phase_->held_wait()) return false;
  if (fault.at_percent.has_value()) return phase_->done_share() * 100 >= *fault.at_percent;
  return FaultNow() - phase_began_ >= fault.at;
}

absl::Status FaultRunner::Poll() {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const FaultSpec& fault = config_.spec->faults[i];
    if (states_[i] == State::kPending && Due(fault)) {
      DT_RETURN_IF_ERROR(BeginFault(i));
    } else if (states_[i] == State::kInForce && fault.length.has_value() &&
               FaultNow() - bands_[*band_[i]].begin >= *fault.length) {
      DT_RETURN_IF_ERROR(EndFault(i));
    }
  }
  return absl::OkStatus();
}

absl::Status FaultRunner::BeginFault(std::size_t index) {
  const FaultSpec& fault = config_.spec->faults[index];
  band_[index] = bands_.size();
  bands_.push_back({index, FaultNow(), std::nullopt});
  if (config_.tell) config_.tell(fault.name, true);
  if (fault.kind == Kind::kRevoke) {
    states_[index] = State::kDone;
    DT_RETURN_IF_ERROR(Revoke(index));
  } else {
    states_[index] = State::kInForce;
    DT_RETURN_IF_ERROR(Annotate(Apply(fault, true), "fault \"" + fault.name + "\""));
  }
  if (fault.length.has_value() || fault.kind != Kind::kRevoke) return absl::OkStatus();
  bands_[*band_[index]].end = FaultNow();
  if (config_.tell) config_.tell(fault.name, false);
  return absl::OkStatus();
}

absl::Status FaultRunner::EndFault(std::size_t index) {
  const FaultSpec& fault = config_.spec->faults[index];
  states_[index] = State::kDone;
  const absl::Status ended = Annotate(Apply(fault, false), "end of fault \"" + fault.name + "\"");
  bands_[*band_[index]].end = FaultNow();
  if (config_.tell) config_.tell(fault.name, false);
  return ended;
}

void FaultRunner::End() {
  if (!phase_.has_value()) return;
  const double seconds = std::chrono::duration<double>(FaultNow() - phase_began_).count();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const FaultSpec& fault = config_.spec->faults[i];
    if (states_[i] != State::kPending || fault.phase != phase_->index) continue;
    states_[i] = State::kDone;
    missed_.push_back(
        fmt::format("the fault \"{}\" never came: the phase \"{}\" was over after {:.1f} s",
                    fault.name, config_.spec->phases[fault.phase].name, seconds));
  }
  phase_.reset();
}

absl::Status FaultRunner::EndAll() {
  absl::Status status;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    // What has no end stays to the end of all, so that nothing is undone behind a run's back.
    if (states_[i] == State::kInForce && config_.spec->faults[i].length.has_value()) {
      status.Update(EndFault(i));
    }
  }
  return status;
}

absl::Status FaultRunner::Apply(const FaultSpec& fault, bool on) {
  Environment& environment = *config_.environment;
  switch (fault.kind) {
    case Kind::kStop:
      return on ? environment.StopPart(*FindPart(fault.target))
                : environment.StartPart(*FindPart(fault.target));
    case Kind::kPause:
      return environment.SetPaused(*FindPart(fault.target), on);
    case Kind::kSlow:
      return environment.SetLink(*FindLink(fault.target),
                                 on ? fault.by : std::chrono::nanoseconds(0), false);
    case Kind::kCut:
      return environment.SetLink(*FindLink(fault.target), std::chrono::nanoseconds(0), on);
    case Kind::kClock:
      return environment.SetClock(*FindPart(fault.target),
                                  on ? fault.by : std::chrono::nanoseconds(0));
    case Kind::kReadOnly:
      return environment.admin().SetReadOnly(on).status();
    case Kind::kDeviceTrust: {
      org::v1::SetDeviceTrustRequest request;
      request.set_enabled(!on);
      request.set_force(true);
      return environment.admin().SetDeviceTrust(request).status();
    }
    case Kind::kRules:
      return ApplyRules(fault, on);
    case Kind::kDeactivate:
      return ApplyPeople(fault, on);
    case Kind::kRevoke:
      break;
  }
  return absl::OkStatus();
}

absl::Status FaultRunner::ApplyRules(const FaultSpec& fault, bool on) {
  for (const org::v1::App& app : config_.spec->apps) {
    org::v1::SetRulesRequest request;
    request.set_app_id(app.id());
    if (on) {
      request.mutable_rules()->Assign(fault.rules.begin(), fault.rules.end());
    } else {
      *request.mutable_rules() = app.rules();
    }
    DT_RETURN_IF_ERROR(config_.environment->admin().SetRules(request).status());
  }
  return absl::OkStatus();
}

absl::Status FaultRunner::ApplyPeople(const FaultSpec& fault, bool on) {
  std::size_t found = 0;
  admin::AdminClient& admin = config_.environment->admin();
  for (std::size_t i = 0; i < config_.fleet->users.size(); ++i) {
    const FleetUser& user = config_.fleet->users[i];
    if (std::ranges::find(user.groups, fault.target) == user.groups.end()) continue;
    ++found;
    DT_ASSIGN_OR_RETURN(const org::v1::User known, admin.GetUser(user.principal));
    DT_RETURN_IF_ERROR(admin
                           .SetUserStatus(known.id(), on ? org::v1::USER_STATUS_DEACTIVATED
                                                         : org::v1::USER_STATUS_ACTIVE)
                           .status());
    if (on) {
      absences_.push_back({i, FaultNow(), std::nullopt});
      continue;
    }
    for (Absence& absence : absences_) {
      if (absence.user == i && !absence.until.has_value()) absence.until = FaultNow();
    }
  }
  if (found > 0) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("nobody is in the group {}; there are: {}",
                                                   fault.target,
                                                   fmt::join(config_.fleet->groups, ", ")));
}

absl::Status FaultRunner::Revoke(std::size_t index) {
  if (!chosen_[index].has_value()) chosen_[index] = Choose(config_.spec->faults[index]);
  for (const std::size_t device : *chosen_[index]) {
    const std::optional<pki::ExportableIdentity> identity = config_.identity_of(device);
    if (!identity.has_value()) continue;  // Its enrollment failed, which is reported.
    const std::string serial = identity->certificate.serial_hex();
    DT_RETURN_IF_ERROR(config_.environment->admin()
                           .RevokeCertificate(serial, ca::v1::REVOCATION_REASON_KEY_COMPROMISE)
                           .status());
    revocations_.push_back({device, serial, FaultNow(), config_.clock->Now()});
  }
  if (phase_.has_value() && phase_->release) phase_->release(FaultNow());
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
