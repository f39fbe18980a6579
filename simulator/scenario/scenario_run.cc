#include "simulator/scenario/scenario_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

#include "libs/base/process.h"
#include "simulator/scenario/schedule.h"
#include "simulator/scenario/story.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;

constexpr std::size_t kHeldMax = 200;  // Browsers that wait for a revocation.
constexpr std::chrono::milliseconds kWaitEvery{10};
constexpr std::chrono::milliseconds kJudgeEvery{500};
constexpr std::uint64_t kJudgedFrom = 20;  // Before so many, an abort would be a guess.
// A generator that begins sessions later than this measures itself.
constexpr std::chrono::milliseconds kLateMax{100};

// In an order that follows from the seed.
void ShuffleBy(std::vector<std::size_t>& list, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  for (std::size_t i = list.size(); i > 1; --i) {
    std::swap(list[i - 1], list[static_cast<std::size_t>(engine() % i)]);
  }
}

void KeepShare(std::vector<std::size_t>& list, double percent) {
  const double kept = std::ceil(static_cast<double>(list.size()) * percent / 100 - 1e-6);
  list.resize(std::min(list.size(), static_cast<std::size_t>(kept)));
}

double InSeconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::optional<double> FigureOf(const Meter::Snapshot& meter, std::string_view name) {
  const std::uint64_t ended = meter.done + meter.errors;
  if (name == "count") return static_cast<double>(meter.done);
  if (name == "errors") return static_cast<double>(meter.errors);
  if (ended == 0) return std::nullopt;
  if (name == "success")
    return 100.0 * static_cast<double>(meter.done) / static_cast<double>(ended);
  if (name == "rate") return meter.PerSecond();
  if (meter.done == 0) return std::nullopt;
  if (name == "mean") return InSeconds(meter.latency.Mean());
  if (name == "max") return InSeconds(meter.latency.max());
  if (name == "p50") return InSeconds(meter.latency.Percentile(50));
  if (name == "p90") return InSeconds(meter.latency.Percentile(90));
  if (name == "p99") return InSeconds(meter.latency.Percentile(99));
  if (name == "p99.9") return InSeconds(meter.latency.Percentile(99.9));
  if (name == "service_p50") return InSeconds(meter.service.Percentile(50));
  if (name == "service_p99") return InSeconds(meter.service.Percentile(99));
  return std::nullopt;
}

std::optional<double> PercentileIn(const Histogram& histogram, double percent) {
  if (histogram.count() == 0) return std::nullopt;
  return InSeconds(percent == 100 ? histogram.max() : histogram.Percentile(percent));
}

}  // namespace

Fleet FleetOf(const ScenarioSpec& spec) {
  FleetSpec fleet;
  fleet.seed = spec.seed;
  fleet.devices = spec.fleet.devices;
  fleet.domain_joined = spec.fleet.domain_joined;
  fleet.unmanaged = spec.fleet.unmanaged;
  if (spec.fleet.forests.empty()) return MakeFleet(fleet);
  fleet.forests.clear();
  for (const std::vector<std::string>& domains : spec.fleet.forests) {
    ForestSpec& forest = fleet.forests.emplace_back();
    for (const std::string& name : domains) {
      std::string netbios = name.substr(0, std::min<std::size_t>(name.find('.'), 15));
      for (char& c : netbios) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      forest.domains.push_back({.dns_name = name, .netbios_name = netbios});
    }
  }
  for (const auto& [trusting, trusted] : spec.fleet.trusts) {
    const auto other_way = std::ranges::find_if(fleet.trusts, [&](const TrustSpec& other) {
      return other.trusting == trusted && other.trusted == trusting;
    });
    if (other_way != fleet.trusts.end()) {
      other_way->both_ways = true;
    } else {
      fleet.trusts.push_back({.trusting = trusting, .trusted = trusted});
    }
  }
  return MakeFleet(fleet);
}

ScenarioRun::ScenarioRun(ScenarioRunConfig config)
    : config_(std::move(config)),
      spec_(*config_.spec),
      fleet_(*config_.fleet),
      told_(fleet_.users.size()) {
  CountVisits();
  EnrollConfig enroll;
  enroll.fleet = &fleet_;
  enroll.forests = &config_.environment->forests();
  enroll.org_url = config_.environment->org_origin();
  enroll.org_trust_pem = config_.web_trust.front().Pem();
  enroll.clock = config_.clock;
  enroll.random = config_.random;
  enroll.recorder = config_.recorder;
  enroll.watch = [this] { return Watch(); };
  for (const PhaseSpec& phase : spec_.phases) {
    if (!phase.proxy.empty()) enroll.http_proxy = phase.proxy;
  }
  enroll_ = std::make_unique<EnrollPhase>(std::move(enroll), *enroll_meter_);
  SignInConfig sign_in;
  sign_in.fleet = &fleet_;
  sign_in.identity_of = [this](std::size_t device) { return enroll_->IdentityOf(device); };
  sign_in.apps = config_.apps;
  sign_in.web_trust = config_.web_trust;
  sign_in.check_url = config_.environment->check_url();
  sign_in.clock = config_.clock;
  sign_in.recorder = config_.recorder;
  sign_in.watch = [this] { return Watch(); };
  sign_in_ = std::make_unique<SignInPhase>(std::move(sign_in), *signin_meter_, *next_meter_);
  FaultRunner::Config faults;
  faults.spec = &spec_;
  faults.fleet = &fleet_;
  faults.environment = config_.environment;
  faults.clock = config_.clock;
  faults.identity_of = [this](std::size_t device) { return enroll_->IdentityOf(device); };
  if (config_.recorder != nullptr) {
    faults.tell = [this](const std::string& name, bool begins) {
      if (begins) {
        config_.recorder->FaultBegins(name);
      } else {
        config_.recorder->FaultEnds(name);
      }
    };
  }
  faults_ = std::make_unique<FaultRunner>(std::move(faults));
}

ScenarioRun::~ScenarioRun() = default;

// By the shares of the phases: who opens apps in several of them begins a session in the first.
void ScenarioRun::CountVisits() {
  std::uint64_t enroll = 0;
  std::uint64_t renew = 0;
  std::uint64_t visits = 0;
  double signed_in = 0;  // Percent: those of a smaller share are among those of a larger one.
  double enrolled = 0;
  const auto of = [](std::size_t all, double percent) {
    return static_cast<std::uint64_t>(std::ceil(static_cast<double>(all) * percent / 100 - 1e-6));
  };
  for (const PhaseSpec& phase : spec_.phases) {
    if (phase.kind == PhaseSpec::Kind::kEnroll) {
      enroll += of(fleet_.domain_joined - of(fleet_.domain_joined, enrolled), phase.share);
      enrolled += (100 - enrolled) * phase.share / 100;
    } else if (phase.kind == PhaseSpec::Kind::kRenew) {
      renew += of(of(fleet_.domain_joined, enrolled), phase.share);
    } else if (phase.kind == PhaseSpec::Kind::kOpen) {
      visits += of(fleet_.users.size(), phase.share) * phase.apps.size();
      signed_in = std::max(signed_in, phase.share);
    }
  }
  const std::uint64_t sessions = of(fleet_.users.size(), signed_in);
  enroll_meter_ = std::make_unique<Meter>("enroll", enroll, config_.recorder);
  renew_meter_ = std::make_unique<Meter>("renew", renew, config_.recorder);
  signin_meter_ = std::make_unique<Meter>("first app", sessions, config_.recorder);
  next_meter_ =
      std::make_unique<Meter>("next apps", visits - std::min(visits, sessions), config_.recorder);
}

absl::Status ScenarioRun::Watch() {
  if (config_.watch) DT_RETURN_IF_ERROR(config_.watch());
  DT_RETURN_IF_ERROR(faults_->Poll());
  const bool aborts =
      std::ranges::any_of(spec_.thresholds, [](const Threshold& one) { return one.abort; });
  if (!aborts || Monotonic::now() - judged_at_ < kJudgeEvery) return absl::OkStatus();
  judged_at_ = Monotonic::now();
  const Resources now = ReadResources();
  for (const Verdict& verdict : Verdicts(now)) {
    if (!verdict.threshold.abort || !verdict.measured.has_value() || verdict.holds()) continue;
    const std::string group =
        verdict.threshold.metric.substr(0, verdict.threshold.metric.find('.'));
    const std::optional<double> count = Measured(group + ".count", now);
    const std::optional<double> errors = Measured(group + ".errors", now);
    if (count.has_value() && *count + errors.value_or(0) < static_cast<double>(kJudgedFrom))
      continue;
    return absl::CancelledError("ended early, since a threshold does not hold: " +
                                VerdictText(verdict));
  }
  return absl::OkStatus();
}

absl::Status ScenarioRun::Run() {
  if (config_.narrate) DT_RETURN_IF_ERROR(TellStory());
  const std::string about =
      fmt::format("{}: {}, {}", spec_.title, Plural(fleet_.devices.size(), "device"),
                  Plural(spec_.apps.size(), "app"));
  std::fputs(
      (config_.style.Bold(about) + config_.style.Dim(fmt::format("   seed {}", spec_.seed)) + "\n")
          .c_str(),
      config_.out);
  absl::Status status;
  for (std::size_t index = 0; index < spec_.phases.size() && status.ok(); ++index) {
    status = RunPhase(index);
  }
  const absl::Status ended = faults_->EndAll();
  DT_RETURN_IF_ERROR(status);
  return ended;
}

absl::Status ScenarioRun::TellStory() {
  Story story(config_.out, config_.style, config_.verbose, *config_.environment, fleet_);
  const std::size_t joined = fleet_.domain_joined;
  if (joined > 1) {  // Else it is the one whose certificate may be revoked.
    DT_RETURN_IF_ERROR(story.Enroll(*enroll_, 0));
    DT_RETURN_IF_ERROR(story.SignIn(*sign_in_, 0));
    told_[0] = true;
  }
  if (joined < fleet_.devices.size() &&
      fleet_.devices[joined].kind == DeviceKind::kUnmanagedWindows) {
    DT_RETURN_IF_ERROR(story.Refusal(*sign_in_, joined));
    told_[joined] = true;
  }
  return absl::OkStatus();
}

absl::Status ScenarioRun::RunPhase(std::size_t index) {
  const PhaseSpec& phase = spec_.phases[index];
  const double cpu_before = ReadResources().CpuSeconds();
  absl::Status status;
  switch (phase.kind) {
    case PhaseSpec::Kind::kEnroll:
    case PhaseSpec::Kind::kRenew:
      status = RunEnrollment(phase, index);
      break;
    case PhaseSpec::Kind::kOpen:
      status = RunVisits(phase, index);
      break;
    case PhaseSpec::Kind::kWait:
      faults_->Begin(
          {.index = index, .done_share = [] { return 1.0; }, .held_wait = {}, .release = {}});
      status = RunWait(phase);
      break;
  }
  faults_->End();
  const Resources now = ReadResources();
  KeepPeak(peak_, now);
  (phase.kind == PhaseSpec::Kind::kOpen ? visits_cpu_seconds_ : enroll_cpu_seconds_) +=
      now.CpuSeconds() - cpu_before;
  return status;
}

// Whoever has no certificate yet; or, to renew, whoever has one.
std::vector<std::size_t> ScenarioRun::Computers(const PhaseSpec& phase) const {
  const bool renew = phase.kind == PhaseSpec::Kind::kRenew;
  std::vector<std::size_t> computers;
  for (std::size_t device = 0; device < fleet_.domain_joined; ++device) {
    if (enroll_->IdentityOf(device).has_value() == renew) computers.push_back(device);
  }
  KeepShare(computers, phase.share);
  return computers;
}

absl::Status ScenarioRun::RunEnrollment(const PhaseSpec& phase, std::size_t index) {
  EnrollPass pass;
  pass.phase = static_cast<std::uint16_t>(index);
  pass.devices = Computers(phase);
  pass.renew = phase.kind == PhaseSpec::Kind::kRenew;
  if (phase.arrivals.at_once > 0) pass.at_once = phase.arrivals.at_once;
  pass.schedule = ScheduleOf(phase.arrivals, pass.devices.size(), spec_.seed + index);
  faults_->Victims(index);
  faults_->Begin({.index = index,
                  .done_share = [this] { return enroll_->DoneShare(); },
                  .held_wait = {},
                  .release = {}});
  Meter& meter = pass.renew ? *renew_meter_ : *enroll_meter_;
  const Progress progress(config_.out, config_.style, {&meter});
  return enroll_->Run(pass, meter);
}

std::vector<std::size_t> ScenarioRun::People(const PhaseSpec& phase, std::size_t index,
                                             const std::vector<std::size_t>& apart) const {
  std::vector<bool> out = told_;
  for (const std::size_t user : apart) out[user] = true;
  std::vector<std::size_t> people;
  for (std::size_t user = 0; user < fleet_.users.size(); ++user) people.push_back(user);
  ShuffleBy(people, spec_.seed);  // The same in each phase, so that shares lie in one another.
  KeepShare(people, phase.share);
  std::erase_if(people, [&out](std::size_t user) { return out[user]; });
  ShuffleBy(people, spec_.seed + 1 + index);
  return people;
}

absl::Status ScenarioRun::RunVisits(const PhaseSpec& phase, std::size_t index) {
  VisitPass pass;
  pass.phase = static_cast<std::uint16_t>(index);
  pass.apps = phase.apps;
  pass.together = phase.together;
  if (phase.arrivals.at_once > 0) pass.at_once = phase.arrivals.at_once;
  // Whoever waits for a revocation opens an app before it and one after it.
  if (phase.apps.size() > 1 && !phase.together && phase.share >= 100) {
    pass.held = faults_->Victims(index);
    std::erase_if(pass.held, [this](std::size_t user) { return told_[user]; });
    pass.held.resize(std::min(pass.held.size(), kHeldMax));
  }
  pass.users = People(phase, index, pass.held);
  pass.schedule = ScheduleOf(phase.arrivals, pass.users.size(), spec_.seed + index);
  faults_->Begin({.index = index,
                  .done_share = [this] { return sign_in_->DoneShare(); },
                  .held_wait = [this] { return sign_in_->HeldWait(); },
                  .release = [this](auto at) { sign_in_->Release(at); }});
  const bool first = std::ranges::any_of(
      pass.users, [this](std::size_t user) { return !sign_in_->signed_in(user); });
  const bool next = phase.apps.size() > 1 || !first;
  if (first) signin_meter_->Start();
  if (next) next_meter_->Start();
  absl::Status status;
  {
    std::vector<const Meter*> meters;
    if (first) meters.push_back(signin_meter_.get());
    if (next) meters.push_back(next_meter_.get());
    const Progress progress(config_.out, config_.style, std::move(meters));
    status = sign_in_->Run(pass);
  }
  if (first) signin_meter_->Stop();
  if (next) next_meter_->Stop();
  return status;
}

absl::Status ScenarioRun::RunWait(const PhaseSpec& phase) {
  const Monotonic::time_point end = Monotonic::now() + phase.length;
  while (Monotonic::now() < end) {
    DT_RETURN_IF_ERROR(Watch());
    std::this_thread::sleep_until(std::min(end, Monotonic::now() + kWaitEvery));
  }
  return absl::OkStatus();
}

std::optional<double> ScenarioRun::Measured(const std::string& metric,
                                            const Resources& resources) const {
  const std::size_t dot = metric.find('.');
  const std::string group = metric.substr(0, dot);
  const std::string name = metric.substr(dot + 1);
  if (group == "enroll") return FigureOf(enroll_meter_->Read(), name);
  if (group == "renew") return FigureOf(renew_meter_->Read(), name);
  if (group == "signin") return FigureOf(signin_meter_->Read(), name);
  if (group == "apps") return FigureOf(next_meter_->Read(), name);
  if (metric == "policy.evaluate.p50") return config_.environment->EvaluationSeconds(50);
  if (metric == "policy.evaluate.p99") return config_.environment->EvaluationSeconds(99);
  if (metric == "resources.pss_max") return static_cast<double>(resources.PssBytes());
  if (metric == "resources.cpu") return resources.CpuSeconds();
  if (metric == "resources.wall") return resources.wall_seconds;
  // What is below is counted apart by each thread, and joined when a phase is over.
  const Histogram& seen = sign_in_->totals().revocation_seen;
  if (metric == "revoke_to_deny.p50") return PercentileIn(seen, 50);
  if (metric == "revoke_to_deny.p99") return PercentileIn(seen, 99);
  if (metric == "revoke_to_deny.max") return PercentileIn(seen, 100);
  Histogram late = sign_in_->totals().late;
  late.Merge(enroll_->late());
  if (metric == "arrivals.late_p99") return PercentileIn(late, 99);
  if (metric == "arrivals.late_max") return PercentileIn(late, 100);
  if (seen_.visits() == 0) return std::nullopt;
  const auto all = static_cast<double>(seen_.visits());
  if (metric == "visits.allowed") return 100 * static_cast<double>(seen_.allowed) / all;
  if (metric == "visits.denied") return 100 * static_cast<double>(seen_.denied()) / all;
  return std::nullopt;
}

std::vector<Verdict> ScenarioRun::Verdicts(const Resources& resources) const {
  return Judge(spec_.thresholds, [this, &resources](const std::string& metric) {
    return Measured(metric, resources);
  });
}

// Nothing when it kept to its schedule.
std::string ScenarioRun::FellBehind() const {
  Histogram late = sign_in_->totals().late;
  late.Merge(enroll_->late());
  if (late.count() == 0 || late.Percentile(99) <= kLateMax) return "";
  return fmt::format(
      "the generator fell behind its schedule: of {} one in a hundred began {} late or more, the "
      "latest {}. Ask for a lower rate, or take a machine with more cores",
      Plural(late.count(), "session"), WithUnit(InSeconds(late.Percentile(99)), Unit::kSeconds),
      WithUnit(InSeconds(late.max()), Unit::kSeconds));
}

void ScenarioRun::FillFigures(RunResult& result) const {
  result.enroll = enroll_meter_->Read();
  result.signin = signin_meter_->Read();
  result.challenge = next_meter_->Read();
  const auto add = [&result](const std::string& name, const Histogram& times) {
    if (times.count() > 0) result.steps.emplace_back(name, times);
  };
  for (std::size_t i = 0; i < agent::kStepCount; ++i) {
    add(fmt::format("enroll: {}", agent::StepName(static_cast<agent::Step>(i))),
        enroll_->times()[i]);
  }
  for (std::size_t i = 0; i < kSteps; ++i) {
    add(fmt::format("sign-in: {}", StepName(static_cast<Step>(i))), sign_in_->times()[i]);
  }
}

absl::Status ScenarioRun::Verify(WallTime since, const Resources& resources, RunResult& result) {
  FillFigures(result);
  seen_ = JudgeVisits({&spec_, &fleet_, enroll_.get(), sign_in_.get(), faults_.get()}, result);
  admin::AdminClient& admin = config_.environment->admin();
  const Decided decided = [this](const std::string& rule, bool allowed, WallTime at) {
    if (config_.recorder == nullptr) return;
    const auto ago = config_.clock->Now() - at;
    config_.recorder->Decided(rule, allowed ? "allowed" : "denied", Monotonic::now() - ago);
  };
  DT_RETURN_IF_ERROR(
      CompareWithLog(admin, since, seen_, spec_, faults_->revocations(), result, decided));
  DT_RETURN_IF_ERROR(CheckCertificates(admin, *enroll_, result));
  result.fell_behind = FellBehind();
  std::vector<ThresholdRecord> records;
  for (const Verdict& verdict : Verdicts(resources)) {
    records.push_back(
        {verdict.threshold.text,
         verdict.measured.has_value() ? WithUnit(*verdict.measured, verdict.threshold.unit) : "",
         verdict.holds()});
    if (!verdict.holds()) result.violations.push_back(VerdictText(verdict));
  }
  if (config_.recorder != nullptr) config_.recorder->Judged(std::move(records));
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
