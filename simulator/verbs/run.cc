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
#include "libs/base/wait_until.h"
#include "simulator/deployment/app_suite.h"
#include "simulator/deployment/environment.h"
#include "simulator/deployment/run_folder.h"
#include "simulator/report/ci_output.h"
#include "simulator/report/result.h"
#include "simulator/scenario/file/scenario_file.h"
#include "simulator/scenario/scenario_run.h"
#include "simulator/verbs/kept_decisions.h"

namespace devicetrust::simulator {
namespace {

using Monotonic = std::chrono::steady_clock;

constexpr const char* kDecisionsFile = "decisions.jsonl";
constexpr std::size_t kDecisionsKept = 5000;
constexpr std::chrono::seconds kReadResourcesEvery{1};
constexpr std::chrono::seconds kClosedWithin{5};

absl::Status WriteResult(const RunOptions& options, const RunResult& result) {
  if (!options.junit_path.empty()) {
    DT_RETURN_IF_ERROR(WriteFileAtomically(options.junit_path, ToJUnit(result), 0644));
  }
  if (!options.markdown_path.empty()) {
    DT_RETURN_IF_ERROR(WriteFileAtomically(options.markdown_path, ToMarkdown(result), 0644));
  }
  if (options.json_path.empty()) return absl::OkStatus();
  const std::string json = ToJson(result);
  if (options.json_path != "-") return WriteFileAtomically(options.json_path, json, 0644);
  std::fputs(json.c_str(), stdout);  // The caller of all sees whether that could be written.
  return absl::OkStatus();
}

class Run {
 public:
  // `result` is filled as far as the run comes.
  Run(const RunOptions& options, const ScenarioSpec& spec, RunFolder& folder, std::FILE* out,
      RunResult& result)
      : options_(options),
        spec_(spec),
        folder_(folder),
        out_(out),
        result_(result),
        style_(Style::Of(::fileno(out))),
        fleet_(FleetOf(spec)),
        apps_(spec.apps, clock_, random_) {}

  absl::Status Go() {
    DT_RETURN_IF_ERROR(Start());
    const absl::Status ran = RunRecorded();
    if (!ran.ok()) {
      FillWhatThereIs();
      if (!absl::IsCancelled(ran)) return ran;
      result_.failure = std::string(ran.message());
      Print("\n" + Summary(result_, style_));
      Print(style_.Bad("ended") + "      " + result_.failure + "\n");
      return signal_ != 0 ? ran : WriteResult(options_, result_);
    }
    DT_RETURN_IF_ERROR(Verify());
    const std::vector<org::v1::Decision> decisions = FetchDecisions();
    KeepPeak(result_.resources, ReadResources());
    result_.resources.wall_seconds = Elapsed();
    result_.recording = recorder_.Read();
    TakeDown();
    DT_RETURN_IF_ERROR(WriteResult(options_, result_));  // Before it is called a success.
    Print("\n" + Summary(result_, style_));
    KeepDecisions(decisions);
    PrintNext();
    return absl::OkStatus();
  }

  // That ended the run, else 0.
  int signal() const { return signal_; }

 private:
  double Elapsed() const {
    return std::chrono::duration<double>(Monotonic::now() - begun_).count();
  }

  void Print(const std::string& text) {
    std::fputs(text.c_str(), out_);
    std::fflush(out_);
  }

  absl::Status Start() {
    sockets_before_ = OpenSockets();
    result_.version = options_.version;
    result_.scenario = spec_.title;
    result_.started_at = FormatUtc(clock_.Now());
    result_.seed = spec_.seed;
    result_.devices = spec_.fleet.devices;
    result_.processes = options_.processes;
    EnvironmentConfig config;
    config.run_dir = folder_.path();
    config.processes = options_.processes;
    config.bin_dir = options_.bin_dir;
    config.zones = spec_.zones;
    config.apps = spec_.apps;
    config.links = FaultRunner::LinksOf(spec_);
    DT_ASSIGN_OR_RETURN(environment_, Environment::Start(config, fleet_, clock_, random_));
    web_trust_ = {environment_->pki().web_ca().certificate};
    DT_RETURN_IF_ERROR(
        apps_.Connect(environment_->org_origin(), environment_->metadata_url(), web_trust_));
    Print(fmt::format("start     forest {}, iwa, ca, policy, gateway{}   {:.1f} s\n\n",
                      fmt::join(environment_->forests().realms(), ", "),
                      options_.processes ? ", each a process" : "", Elapsed()));
    run_.emplace(RunSettings());
    return absl::OkStatus();
  }

  ScenarioRunConfig RunSettings() {
    ScenarioRunConfig config;
    config.spec = &spec_;
    config.fleet = &fleet_;
    config.environment = environment_.get();
    config.apps = apps_.pointers();
    config.web_trust = web_trust_;
    config.clock = &clock_;
    config.random = &random_;
    config.watch = [this] { return Watch(); };
    config.recorder = &recorder_;
    config.out = out_;
    config.style = style_;
    config.narrate = spec_.narrate && !options_.no_story;
    config.verbose = options_.verbose;
    return config;
  }

  // The phases, and what they cost meanwhile.
  absl::Status RunRecorded() {
    const BackgroundLoop reading(std::chrono::milliseconds(0), [this] {
      recorder_.Used(ReadResources());
      return kReadResourcesEvery;
    });
    return run_->Run();
  }

  absl::Status Watch() {
    signal_ = WaitForStopSignal(std::chrono::milliseconds(0));
    if (signal_ != 0) return absl::CancelledError("interrupted before the run was over");
    return environment_->Check();
  }

  // All that was started is gone, and with it what it had open.
  void TakeDown() {
    run_.reset();
    environment_.reset();
    const auto closed = [this]() -> absl::StatusOr<bool> {
      return OpenSockets() <= sockets_before_;
    };
    if (WaitUntil(closed, std::chrono::milliseconds(20), kClosedWithin).ok()) return;
    result_.violations.push_back(fmt::format("sockets open after the end: {}, before the start: {}",
                                             OpenSockets(), sockets_before_));
  }

  void FillWhatThereIs() {
    run_->FillFigures(result_);
    result_.resources = run_->peak();
    result_.resources.wall_seconds = Elapsed();
    result_.recording = recorder_.Read();
  }

  absl::Status Verify() {
    result_.resources = run_->peak();
    KeepPeak(result_.resources, ReadResources());
    result_.resources.wall_seconds = Elapsed();
    DT_RETURN_IF_ERROR(run_->Verify(started_, result_.resources, result_));
    CheckKeys(folder_.path(), run_->enroll(), result_);
    Narrate(run_->seen());
    NarrateCost();
    return absl::OkStatus();
  }

  void Narrate(const Seen& seen) {
    const std::size_t others =
        fleet_.devices.size() - std::min(fleet_.devices.size(), seen.holders);
    result_.story.push_back(fmt::format(
        "{} proved {} with Kerberos and {} a certificate. {} {} not.",
        Plural(seen.holders, "domain-joined computer"), seen.holders == 1 ? "itself" : "themselves",
        seen.holders == 1 ? "holds" : "hold", Plural(others, "other device"),
        others == 1 ? "does" : "do"));
    NarrateRevocations();
    for (const FaultBand& band : run_->faults().bands()) NarrateFault(band);
    const std::string figures = fmt::format(
        "{} issued, {} revoked, {} shown at challenges, {}, {} and {} denied, {}.",
        Plural(seen.issued, "certificate"), Thousands(seen.revoked), Thousands(seen.shown),
        Plural(seen.visits(), "decision"), Thousands(seen.allowed) + " let in",
        Thousands(seen.denied()), Plural(seen.factors, "second factor"));
    result_.story.push_back(
        (result_.valid() ? "System Log and devices agree: " : "The devices saw: ") + figures);
  }

  void NarrateRevocations() {
    const Histogram& delay = run_->sign_in().totals().revocation_seen;
    const std::size_t revoked = run_->faults().revocations().size();
    if (revoked == 0 || delay.count() == 0) return;
    const double at =
        std::chrono::duration<double>(run_->faults().revocations().front().at - begun_).count();
    result_.story.push_back(fmt::format(
        "{} {} revoked {:.0f} s after the start; the gateway refused {} {:.0f} ms later, and no "
        "sign-in was trusted after it.",
        Plural(revoked, "certificate"), revoked == 1 ? "was" : "were", at,
        revoked == 1 ? "it" : "the last of them", static_cast<double>(delay.max().count()) / 1000));
  }

  void NarrateFault(const FaultBand& band) {
    const FaultSpec& fault = spec_.faults[band.fault];
    if (fault.kind == FaultSpec::Kind::kRevoke) return;
    const auto seconds = [this](Monotonic::time_point at) {
      return std::chrono::duration<double>(at - begun_).count();
    };
    result_.story.push_back(
        fault.length.has_value()
            ? fmt::format("From {:.1f} s to {:.1f} s: {}.", seconds(band.begin),
                          seconds(band.end.value_or(Monotonic::now())), fault.name)
            : fmt::format("From {:.1f} s on: {}.", seconds(band.begin), fault.name));
  }

  void NarrateCost() {
    const auto each = [](double cpu_seconds, std::uint64_t count) {
      return count == 0 ? 0 : cpu_seconds * 1000 / static_cast<double>(count);
    };
    result_.story.push_back(fmt::format(
        "Both sides together, an enrollment took {:.1f} ms of CPU, opening an app {:.1f} ms.",
        each(run_->enroll_cpu_seconds(), result_.enroll.done),
        each(run_->visits_cpu_seconds(), result_.signin.done + result_.challenge.done)));
  }

  // The refused ones: those are what somebody asks about.
  std::vector<org::v1::Decision> FetchDecisions() {
    std::vector<org::v1::Decision> decisions;
    for (const VisitRecord& visit : run_->sign_in().records()) {
      if (visit.code.empty() || decisions.size() >= kDecisionsKept) continue;
      absl::StatusOr<org::v1::Decision> decision =
          environment_->admin().ExplainDecision(visit.code);
      if (!decision.ok()) {
        result_.violations.push_back(fmt::format("the org can't explain {}: {}", visit.code,
                                                 admin::OneLine(decision.status())));
        continue;
      }
      if (example_code_.empty()) example_code_ = visit.code;
      decisions.push_back(*std::move(decision));
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
      Print(fmt::format("Logs:  {}\nAgain: {} run{} --devices {} --seed {}{}\n", folder_.path(),
                        program,
                        options_.scenario.empty() ? "" : " " + ShellQuoted(options_.scenario),
                        spec_.fleet.devices, spec_.seed, options_.processes ? " --processes" : ""));
    }
    if (!example_code_.empty()) {
      const std::string where =
          options_.run_dir.empty() ? "" : " --run-dir " + ShellQuoted(options_.run_dir);
      Print(fmt::format("       {} explain {}{}   why that sign-in was refused\n", program,
                        example_code_, where));
    }
  }

  const RunOptions& options_;
  const ScenarioSpec& spec_;
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
  std::optional<ScenarioRun> run_;  // Gone before the environment, whose faults it ends.
  std::string example_code_;
  std::size_t sockets_before_ = 0;
  int signal_ = 0;
};

// What `options` say instead of the file.
ScenarioSpec Chosen(ScenarioSpec spec, const RunOptions& options) {
  if (options.devices > 0) spec.fleet.devices = options.devices;
  if (options.seed.has_value()) spec.seed = *options.seed;
  return spec;
}

// An error goes into `result`, for the JSON.
absl::StatusOr<int> RunIn(RunFolder& folder, const RunOptions& options, const ScenarioSpec& spec,
                          std::FILE* out, RunResult& result) {
  SetLogComponent("dt-sim");
  absl::Status status = SetLogFile(folder.File("dt-sim.log"));
  int signal = 0;
  if (status.ok()) {  // Gone before the folder.
    const auto run = std::make_unique<Run>(options, spec, folder, out, result);
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
  const bool figures_mean_nothing = result.violations.empty() && result.failure.empty();
  if (status.ok()) return figures_mean_nothing ? kFellBehind : EXIT_FAILURE;
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
  DT_ASSIGN_OR_RETURN(const ScenarioSpec loaded, LoadScenario(options.scenario));
  DT_RETURN_IF_ERROR(FaultRunner::CheckPossible(loaded, options.processes));
  const ScenarioSpec spec = Chosen(loaded, options);
  const bool to_out = options.json_path == "-";
  if (!to_out) {
    DT_RETURN_IF_ERROR(CheckWritable("--json", options.json_path, options.run_dir));
    RemoveStale(options.json_path);
  }
  for (const auto& [flag, path] :
       {std::pair("--junit", options.junit_path), std::pair("--markdown", options.markdown_path)}) {
    DT_RETURN_IF_ERROR(CheckWritable(flag, path, options.run_dir));
    RemoveStale(path);
  }
  RunResult result;
  absl::StatusOr<int> code = EXIT_FAILURE;
  absl::StatusOr<RunFolder> folder = RunFolder::Create(options.run_dir);
  if (folder.ok()) {
    if (!options.run_dir.empty()) {
      folder->Keep({kDecisionsFile});
      for (const char* const ending : {".log", ".json", ".toml"}) folder->KeepEnding(ending);
    }
    code = RunIn(*folder, options, spec, to_out ? stderr : out, result);
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
