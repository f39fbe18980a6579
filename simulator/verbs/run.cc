#include "simulator/verbs/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "libs/admin/environments.h"
#include "libs/admin/text.h"
#include "libs/base/background_loop.h"
#include "libs/base/clock.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/utc_time.h"
#include "simulator/deployment/app_suite.h"
#include "simulator/deployment/environment.h"
#include "simulator/deployment/run_folder.h"
#include "simulator/report/result.h"
#include "simulator/scenario/enroll_phase.h"
#include "simulator/scenario/sign_in_phase.h"
#include "simulator/scenario/story.h"
#include "simulator/scenario/verification.h"
#include "simulator/verbs/kept_decisions.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;

constexpr const char* kDecisionsFile = "decisions.jsonl";
constexpr std::size_t kDecisionsKept = 5000;
constexpr std::size_t kRevoked = 5;
constexpr std::chrono::seconds kReadResourcesEvery{1};

absl::Status WriteResult(const RunOptions& options, const RunResult& result) {
  if (options.json_path.empty()) return absl::OkStatus();
  const std::string json = ToJson(result);
  if (options.json_path != "-") return WriteFileAtomically(options.json_path, json, 0644);
  std::fputs(json.c_str(), stdout);  // The caller of all sees whether that could be written.
  return absl::OkStatus();
}

class Run {
 public:
  // `result` is filled as far as the run comes.
  Run(const RunOptions& options, RunFolder& folder, std::FILE* out, RunResult& result)
      : options_(options),
        folder_(folder),
        out_(out),
        result_(result),
        style_(Style::Of(::fileno(out))),
        fleet_(MakeFleet({.seed = options.seed, .devices = options.devices})),
        apps_("", clock_, random_) {}

  absl::Status Go() {
    DT_RETURN_IF_ERROR(Start());
    DT_RETURN_IF_ERROR(RunRecorded());
    DT_RETURN_IF_ERROR(Verify());
    const std::vector<org::v1::Decision> decisions = FetchDecisions();
    KeepPeak(result_.resources, ReadResources());
    result_.resources.wall_seconds =
        std::chrono::duration<double>(Monotonic::now() - begun_).count();
    DT_RETURN_IF_ERROR(WriteResult(options_, result_));  // Before it is called a success.
    Print("\n" + Summary(result_, style_));
    KeepDecisions(decisions);
    PrintNext();
    return absl::OkStatus();
  }

  // That ended the run, else 0.
  int signal() const { return signal_; }

 private:
  void Print(const std::string& text) {
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
  }

  absl::Status Start() {
    result_.version = options_.version;
    result_.started_at = FormatUtc(clock_.Now());
    result_.seed = options_.seed;
    result_.devices = options_.devices;
    result_.processes = options_.processes;
    EnvironmentConfig config;
    config.run_dir = folder_.path();
    config.processes = options_.processes;
    config.bin_dir = options_.bin_dir;
    config.apps = apps_.Registrations(FiveRuleExample());
    DT_ASSIGN_OR_RETURN(environment_, Environment::Start(config, fleet_, clock_, random_));
    web_trust_ = {environment_->pki().web_ca().certificate};
    DT_RETURN_IF_ERROR(
        apps_.Connect(environment_->org_origin(), environment_->metadata_url(), web_trust_));
    Print(fmt::format("start     forest {}, iwa, ca, policy, gateway{}   {:.1f} s\n\n",
                      fmt::join(environment_->forests().realms(), ", "),
                      options_.processes ? ", each a process" : "",
                      std::chrono::duration<double>(Monotonic::now() - begun_).count()));
    return absl::OkStatus();
  }

  // The phases, and what they cost meanwhile.
  absl::Status RunRecorded() {
    absl::Status status;
    {
      const BackgroundLoop reading(std::chrono::milliseconds(0), [this] {
        recorder_.Used(ReadResources());
        return kReadResourcesEvery;
      });
      status = RunPhases();
    }
    result_.recording = recorder_.Read();
    return status;
  }

  absl::Status Watch() {
    signal_ = WaitForStopSignal(std::chrono::milliseconds(0));
    if (signal_ != 0) return absl::CancelledError("interrupted before the run was over");
    return environment_->Check();
  }

  EnrollConfig EnrollSettings() {
    EnrollConfig config;
    config.fleet = &fleet_;
    config.forests = &environment_->forests();
    config.org_url = environment_->org_origin();
    config.org_trust_pem = web_trust_.front().Pem();
    config.clock = &clock_;
    config.random = &random_;
    config.recorder = &recorder_;
    config.watch = [this] { return Watch(); };
    return config;
  }

  SignInConfig SignInSettings() {
    SignInConfig config;
    config.fleet = &fleet_;
    config.identity_of = [this](std::size_t device) { return enroll_->IdentityOf(device); };
    config.apps = apps_.pointers();
    config.web_trust = web_trust_;
    config.check_url = environment_->check_url();
    config.clock = &clock_;
    config.recorder = &recorder_;
    config.visited = [this](std::size_t user, const VisitRecord& visit) {
      const auto [rule, outcome] = RuleOf(fleet_.devices[user], visit);
      recorder_.Decided(rule, outcome);
    };
    config.to_revoke = revoked_;
    config.revoke = [this] { return Revoke(); };
    config.watch = [this] { return Watch(); };
    return config;
  }

  absl::Status RunPhases() {
    const std::size_t joined = fleet_.domain_joined;
    // Spread from the middle of the domain, so not the story's, each once.
    const std::size_t count = std::min(kRevoked, (joined + 3) / 4);
    for (std::size_t at = joined / 2; revoked_.size() < count; at += 7) {
      const auto taken = [&](std::size_t device) {
        return (device == 0 && joined > 1) || std::ranges::count(revoked_, device) != 0;
      };
      while (taken(at % joined)) ++at;
      revoked_.push_back(at % joined);
    }
    Meter enroll("enroll", joined, &recorder_);
    Meter signin("first app", fleet_.users.size(), &recorder_);
    Meter challenge("next apps", fleet_.users.size() * (apps_.pointers().size() - 1), &recorder_);
    enroll_.emplace(EnrollSettings(), enroll);
    sign_in_.emplace(SignInSettings(), signin, challenge);
    if (!options_.no_story) DT_RETURN_IF_ERROR(TellStory());
    Print(style_.Bold(fmt::format("{}, {}, the five-rule allow-list",
                                  Plural(fleet_.devices.size(), "device"),
                                  Plural(sign_in_->apps(), "app"))) +
          style_.Dim(fmt::format("   seed {}", options_.seed)) + "\n");
    const double cpu_before = ReadResources().CpuSeconds();
    {
      const Progress progress(out_, style_, {&enroll});
      DT_RETURN_IF_ERROR(enroll_->Run());
    }
    KeepPeak(result_.resources, ReadResources());
    enroll_cpu_seconds_ = result_.resources.CpuSeconds() - cpu_before;
    {
      const Progress progress(out_, style_, {&signin, &challenge});
      DT_RETURN_IF_ERROR(sign_in_->Run());
    }
    KeepPeak(result_.resources, ReadResources());
    result_.enroll = enroll.Read();
    result_.signin = signin.Read();
    result_.challenge = challenge.Read();
    visits_cpu_seconds_ = result_.resources.CpuSeconds() - cpu_before - enroll_cpu_seconds_;
    return absl::OkStatus();
  }

  absl::Status TellStory() {
    Story story(out_, style_, options_.verbose, *environment_, fleet_);
    const bool spare = std::find(revoked_.begin(), revoked_.end(), 0) == revoked_.end();
    if (spare) {
      DT_RETURN_IF_ERROR(story.Enroll(*enroll_, 0));
      DT_RETURN_IF_ERROR(story.SignIn(*sign_in_, 0));
    }
    if (fleet_.domain_joined < fleet_.devices.size() &&
        fleet_.devices[fleet_.domain_joined].kind == DeviceKind::kUnmanagedWindows) {
      DT_RETURN_IF_ERROR(story.Refusal(*sign_in_, fleet_.domain_joined));
    }
    return absl::OkStatus();
  }

  absl::Status Revoke() {
    revoked_at_ = Monotonic::now();
    recorder_.Happened(fmt::format("{} revoked", Plural(revoked_.size(), "certificate")));
    for (const std::size_t device : revoked_) {
      const std::optional<pki::Identity> identity = enroll_->IdentityOf(device);
      if (!identity.has_value()) continue;  // Its enrollment failed, which is reported.
      DT_RETURN_IF_ERROR(environment_->admin()
                             .RevokeCertificate(identity->certificate.serial_hex(),
                                                ca::v1::REVOCATION_REASON_KEY_COMPROMISE)
                             .status());
      ++revocations_;
      recorder_.Gauge("revoked certificates", static_cast<double>(revocations_));
    }
    return absl::OkStatus();
  }

  absl::Status Verify() {
    for (std::size_t i = 0; i < agent::kStepCount; ++i) {
      AddStep(fmt::format("enroll: {}", agent::StepName(static_cast<agent::Step>(i))),
              enroll_->times()[i]);
    }
    for (std::size_t i = 0; i < kSteps; ++i) {
      AddStep(fmt::format("sign-in: {}", StepName(static_cast<Step>(i))), sign_in_->times()[i]);
    }
    const Seen seen = CountVisits(fleet_, *enroll_, *sign_in_, revocations_, result_);
    DT_RETURN_IF_ERROR(CompareWithLog(environment_->admin(), started_, seen, result_));
    Narrate(seen);
    NarrateCost();
    return absl::OkStatus();
  }

  void AddStep(const std::string& name, const Histogram& times) {
    if (times.count() > 0) result_.steps.emplace_back(name, times);
  }

  void Narrate(const Seen& seen) {
    const std::size_t others = fleet_.devices.size() - fleet_.domain_joined;
    result_.story.push_back(fmt::format(
        "{} proved {} with Kerberos and {} a certificate. {} {} not.",
        Plural(seen.enrolled, "domain-joined computer"),
        seen.enrolled == 1 ? "itself" : "themselves", seen.enrolled == 1 ? "holds" : "hold",
        Plural(others, "other device"), others == 1 ? "does" : "do"));
    const Histogram& delay = sign_in_->totals().revocation_seen;
    if (revocations_ > 0 && delay.count() > 0) {
      result_.story.push_back(fmt::format(
          "{} {} revoked {:.0f} s after the start; the gateway refused {} {:.0f} ms later, and no "
          "sign-in was trusted after it.",
          Plural(revocations_, "certificate"), revocations_ == 1 ? "was" : "were",
          std::chrono::duration<double>(revoked_at_ - begun_).count(),
          revocations_ == 1 ? "it" : "the last of them",
          static_cast<double>(delay.max().count()) / 1000));
    }
    const std::string figures =
        fmt::format("{} issued, {} enrolled, {} revoked, {}, {} refused as revoked, {}, {}.",
                    Thousands(seen.enrolled), Thousands(seen.enrolled), Thousands(seen.revoked),
                    Plural(seen.allowed_trusted, "trusted device authentication"),
                    Thousands(seen.denied_revoked), Plural(seen.visits(), "decision"),
                    Plural(seen.factors, "second factor"));
    result_.story.push_back(
        (result_.valid() ? "System Log and devices agree: " : "The devices saw: ") + figures);
  }

  void NarrateCost() {
    const auto each = [](double cpu_seconds, std::uint64_t count) {
      return count == 0 ? 0 : cpu_seconds * 1000 / static_cast<double>(count);
    };
    result_.story.push_back(fmt::format(
        "Both sides together, an enrollment took {:.1f} ms of CPU, opening an app {:.1f} ms.",
        each(enroll_cpu_seconds_, result_.enroll.done),
        each(visits_cpu_seconds_, result_.signin.done + result_.challenge.done)));
  }

  // The refused ones: those are what somebody asks about.
  std::vector<org::v1::Decision> FetchDecisions() {
    std::vector<org::v1::Decision> decisions;
    for (std::size_t user = 0; user < fleet_.users.size(); ++user) {
      for (std::size_t app = 0; app < sign_in_->apps(); ++app) {
        const std::string& code = sign_in_->record(user, app).code;
        if (code.empty() || decisions.size() >= kDecisionsKept) continue;
        absl::StatusOr<org::v1::Decision> decision = environment_->admin().ExplainDecision(code);
        if (!decision.ok()) {
          result_.violations.push_back(
              fmt::format("the org can't explain {}: {}", code, admin::OneLine(decision.status())));
          continue;
        }
        if (example_code_.empty()) example_code_ = code;
        decisions.push_back(*std::move(decision));
      }
    }
    return decisions;
  }

  // For `explain`. The result stands without them.
  void KeepDecisions(const std::vector<org::v1::Decision>& decisions) {
    const absl::Status here = WriteDecisions(folder_.File(kDecisionsFile), decisions);
    const absl::StatusOr<std::string> path = LastDecisionsPath();
    const absl::Status last = path.ok() ? WriteDecisions(*path, decisions) : path.status();
    if (!(options_.run_dir.empty() ? last : here).ok()) example_code_.clear();
    absl::Status kept = here;
    kept.Update(last);
    if (kept.ok()) return;
    std::fprintf(stderr, "dt-sim: decisions are not kept for explain: %s\n",
                 std::string(kept.message()).c_str());
  }

  void PrintNext() {
    if (!options_.json_path.empty() && options_.json_path != "-") {
      Print(fmt::format("Result: {}\n", options_.json_path));
    }
    const std::string program = ShellQuoted(options_.bin_dir + "/dt-sim");
    if (result_.valid()) {
      Print(fmt::format(
          "Next:  {} up            keep it running and point your own app or browser at it\n",
          program));
    } else {
      Print(fmt::format("Logs:  {}\n", folder_.path()));
    }
    if (!example_code_.empty()) {
      const std::string where =
          options_.run_dir.empty() ? "" : " --run-dir " + ShellQuoted(options_.run_dir);
      Print(fmt::format("       {} explain {}{}   why that sign-in was refused\n", program,
                        example_code_, where));
    }
  }

  const RunOptions& options_;
  RunFolder& folder_;
  std::FILE* const out_;
  RunResult& result_;
  const Style style_;
  const SystemClock clock_;
  SystemRandom random_;
  const Monotonic::time_point begun_ = Monotonic::now();
  Recorder recorder_;
  const WallTime started_ = clock_.Now() - std::chrono::seconds(1);
  const Fleet fleet_;
  AppSuite apps_;
  std::unique_ptr<Environment> environment_;
  std::vector<pki::Certificate> web_trust_;
  std::optional<EnrollPhase> enroll_;
  std::optional<SignInPhase> sign_in_;
  std::vector<std::size_t> revoked_;
  std::uint64_t revocations_ = 0;
  Monotonic::time_point revoked_at_{};
  double enroll_cpu_seconds_ = 0;
  double visits_cpu_seconds_ = 0;
  std::string example_code_;
  int signal_ = 0;
};

// An error goes into `result`, for the JSON.
absl::StatusOr<int> RunIn(RunFolder& folder, const RunOptions& options, std::FILE* out,
                          RunResult& result) {
  SetLogComponent("dt-sim");
  absl::Status status = SetLogFile(folder.File("dt-sim.log"));
  int signal = 0;
  if (status.ok()) {  // Gone before the folder.
    const auto run = std::make_unique<Run>(options, folder, out, result);
    status = run->Go();
    signal = run->signal();
  }
  if (status.ok() && result.valid()) return EXIT_SUCCESS;
  if (signal != 0) {
    result.failure = fmt::format("interrupted by signal {}", signal);
    return 128 + signal;
  }
  folder.KeepEnding(".log");
  folder.Keep({kDecisionsFile});
  if (status.ok()) return EXIT_FAILURE;
  result.failure = std::string(status.message());
  return absl::Status(status.code(),
                      fmt::format("{}\n        Logs are in {}", result.failure, folder.path()));
}

}  // namespace

absl::StatusOr<std::string> LastDecisionsPath() {
  DT_ASSIGN_OR_RETURN(const std::string folder, admin::StateFolder());
  return folder + "/" + kDecisionsFile;
}

absl::StatusOr<int> RunScenario(const RunOptions& options, std::FILE* out) {
  const bool to_out = options.json_path == "-";
  if (!to_out) {
    DT_RETURN_IF_ERROR(CheckWritable("--json", options.json_path, options.run_dir));
    RemoveStale(options.json_path);
  }
  RunResult result;
  absl::StatusOr<int> code = EXIT_FAILURE;
  absl::StatusOr<RunFolder> folder = RunFolder::Create(options.run_dir);
  if (folder.ok()) {
    if (!options.run_dir.empty()) {
      folder->Keep({kDecisionsFile});
      for (const char* const ending : {".log", ".json", ".toml"}) folder->KeepEnding(ending);
    }
    code = RunIn(*folder, options, to_out ? stderr : out, result);
  } else {
    code = folder.status();
    result.failure = std::string(folder.status().message());
  }
  // The successful end has written it; who waits for the file finds it after any other, too.
  if (!result.failure.empty()) {
    const absl::Status written = WriteResult(options, result);
    if (!written.ok() && code.ok()) return written;
  }
  return code;
}

}  // namespace devicetrust::simulator
