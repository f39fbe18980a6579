#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/printable.h"
#include "libs/base/process.h"
#include "libs/base/status.h"
#include "libs/service/command_line.h"
#include "libs/service/options.h"
#include "simulator/forest/forest_spec.h"
#include "simulator/handshake/client_certificates.h"
#include "simulator/verbs/explain_command.h"
#include "simulator/verbs/handshake_command.h"
#include "simulator/verbs/result_commands.h"
#include "simulator/verbs/run.h"
#include "simulator/verbs/scenario_command.h"
#include "simulator/verbs/up.h"

namespace devicetrust::simulator {

namespace {

constexpr std::int64_t kDevicesMax = 50'000;
constexpr std::int64_t kSeedMax = 999'999'999'999'999'999;
constexpr const char* kProcessesHelp =
    "Start the services as programs of their own instead of inside dt-sim";

}  // namespace

// Beside the verbs' options, as OptionsOf() looks for them.
void Describe(RunOptions& run, service::Options& options) {
  options.Number("devices", run.devices, 0, kDevicesMax, "How many; 0: as the scenario says");
  options.Text("seed", run.seed_text, "NUMBER",
               "Names, mix, secrets and arrivals follow from it (default: as the scenario says)");
  options.Text(
      "json", run.json_path, "FILE",
      "Write the result to this file; - is standard output, the rest then goes to standard "
      "error");
  options.Text("junit", run.junit_path, "FILE", "Thresholds and checks as JUnit XML, for CI");
  options.Text("markdown", run.markdown_path, "FILE",
               "A summary in Markdown, say $GITHUB_STEP_SUMMARY");
  options.Text("run-dir", run.run_dir, "FOLDER",
               "For logs and decisions; its contents are replaced (default: a temporary one, "
               "removed after a valid run)");
  options.Flag("processes", run.processes, kProcessesHelp);
  options.Flag("no-story", run.no_story, "Leave out the first device's story");
  options.Flag("verbose", run.verbose, "The story with tickets, tokens and addresses as they are");
}

void Describe(UpOptions& up, service::Options& options) {
  options.Number("devices", up.devices, 10, kDevicesMax,
                 "How many; four of five are domain-joined");
  options.Number("forests", up.forests, 1, static_cast<std::int64_t>(kForestsMax),
                 "How many; corp.test, which has the IWA, trusts the others");
  options.Number("seed", up.seed, 0, kSeedMax, "Names, passwords and mix follow from it");
  options.Text("run-dir", up.run_dir, "FOLDER",
               "For endpoints.json, keys and logs; its contents are replaced, its logs stay at the "
               "end (default: a temporary one)");
  options.Flag("keep", up.keep, "Leave the run folder as it is at the end, keys too");
  options.Number("org-port", up.org_port, 0, 65535, "Port of org.localhost, 0: any free one");
  options.Number("mtls-port", up.mtls_port, 0, 65535, "Port of mtls.localhost, 0: any free one");
  options.Choice("mtls-names", up.mtls_names, {"fresh", "fixed"},
                 "A host name for each challenge, or mtls.localhost alone, which fits into "
                 "/etc/hosts");
  options.Flag("ticket-sign-in", up.ticket_sign_in,
               "Who has a Kerberos ticket signs in without a password");
  options.Texts("sp-metadata", up.sp_metadata, "FILE",
                "SAML metadata of an app of yours; may come more than once");
  options.Texts("wsfed-metadata", up.wsfed_metadata, "FILE",
                "Federation metadata of a WS-Federation app of yours; may come more than once");
  options.Text("wsfed-realm", up.wsfed_realm, "URI",
               "Realm of a WS-Federation app of yours that has no metadata");
  options.Texts("wsfed-reply", up.wsfed_reply, "URL",
                "With --wsfed-realm: where its tokens go; may come more than once");
  options.Text("wait-file", up.wait_file, "FILE",
               "Written once every port answers; holds the path of endpoints.json. An earlier one "
               "is removed first");
  options.Number("ready-fd", up.ready_fd, 0, 1023,
                 "File descriptor that gets a line once every port answers");
  options.Flag("processes", up.processes, kProcessesHelp);
}

void Describe(ScenariosOptions& scenarios, service::Options& options) {
  options.Flag("schema", scenarios.schema, "Print the JSON Schema of scenario files, for editors");
  options.Flag("metrics", scenarios.metrics, "Print what a threshold may name");
}

void Describe(CheckOptions& /*check*/, service::Options& /*options*/) {}

void Describe(ReportOptions& report, service::Options& options) {
  options.Text("out", report.out, "FILE",
               "Where the page goes, - is standard output (default: beside the result, as .html)");
}

void Describe(CompareOptions& compare, service::Options& options) {
  options.Number("tolerance", compare.tolerance, 0, 1000,
                 "Percent by which a figure may be worse");
  options.Flag("json", compare.json, "Print JSON");
}

void Describe(MergeOptions& merge, service::Options& options) {
  options.Text("out", merge.out, "FILE", "Where the result goes, - is standard output");
}

void Describe(ExplainOptions& explain, service::Options& options) {
  options.Text("run-dir", explain.run_dir, "FOLDER",
               "Of a running environment or of an earlier run");
}

void Describe(HandshakeOptions& handshake, service::Options& options) {
  options.Heading("Server");
  options.Text("run-dir", handshake.run_dir, "FOLDER",
               "Of a dt-sim up, for its mTLS host or its certificates (default: DT_ENDPOINTS, else "
               "the one that runs)");
  options.Text("server-name", handshake.server_name, "NAME", "For SNI and Host (default: HOST)");
  options.Text("ca", handshake.ca_file, "FILE",
               "PEM that vouches for the server, which is then checked (default: it is not)");
  options.Choice("tls", handshake.tls, {"any", "1.2", "1.3"}, "Version of TLS");
  options.Heading("Certificates");
  options.Text("certs", handshake.certificates_path, "PATH",
               "Folder with NAME.pem or NAME.crt and NAME.key or from --make; or one file, each "
               "chain followed by its key (default: those of the environment's enrolled devices)");
  options.Number("certificates", handshake.certificates, 0, kClientCertificatesMax,
                 "How many of them; more than an environment has are made by its CA; 0: as many as "
                 "there are");
  options.Text(
      "make", handshake.make, "FOLDER",
      "Makes --certificates into it, for any server, and no load; with a CA of their own, or, "
      "with --run-dir, that environment's");
  options.Number("revoked-certificates", handshake.revoked_certificates, 0, 10'000,
                 "With --make: further ones, which its list revokes");
  options.Number("revoked-entries", handshake.revoked_entries, 0, 10'000'000,
                 "With --make: how many that list has in all");
  options.Heading("Load");
  options.Number("rate", handshake.rate, 0, 1'000'000,
                 "Connections a second, which come whatever happens; 0: a closed loop");
  options.Choice("arrivals", handshake.arrivals, {"even", "poisson"}, "How those are spaced");
  options.Number("in-flight", handshake.in_flight, 1, 60'000,
                 "With --rate: so many at once, more wait");
  options.Number("concurrency", handshake.concurrency, 1, 10'000,
                 "Closed loop: so many at once, the next begins when one ends");
  options.Number("for", handshake.duration, 1, 86'400, "Seconds that count");
  options.Number("ramp", handshake.ramp, 0, 3'600,
                 "Seconds before, in which the load rises; they do not count");
  options.Number("connections", handshake.connections, 0, 1'000'000'000,
                 "Ends after so many; 0: after the time");
  options.Number("threads", handshake.threads, 1, 256, "Of the generator");
  options.Number("timeout", handshake.timeout, 1, 600, "Seconds that one connection may take");
  options.Number("seed", handshake.seed, 0, kSeedMax, "Of --arrivals poisson");
  options.Heading("Mix and answers");
  options.Number("resume", handshake.resume, 0, 100,
                 "Percent that go on from an earlier session of the same certificate");
  options.Number("revoked", handshake.revoked, 0, 100,
                 "Percent that show a revoked certificate and should be refused");
  options.Text("request", handshake.request, "PATH",
               "What to GET (default: /, and of an environment its /check)");
  options.Flag("no-request", handshake.no_request, "The handshake alone, then goodbye");
  options.Text("expect", handshake.expect, "TEXT", "That a good answer holds, besides status 200");
  options.Text("expect-revoked", handshake.expect_revoked, "TEXT",
               "That the answer to a revoked one holds (default: an alert, or any status but 200)");
  options.Heading("Result");
  options.Text("json", handshake.json_path, "FILE",
               "Write it to this file; - is standard output, and nothing else then");
}

namespace {

// One sentence each; then examples that work as typed.
constexpr const char* kAbout =
    "Shows device trust at work: a fake Active Directory, the services and any number of virtual\n"
    "devices, all on this machine, with real Kerberos, LDAP, TLS and SAML.";
constexpr const char* kExamples =
    "  watch it work     dt-sim run\n"
    "  keep it running   dt-sim up --run-dir run\n"
    "  check a scenario  dt-sim check mine.yaml\n"
    "  ask why           dt-sim explain 7F3K-9QXD";
constexpr const char* kRunAbout =
    "Plays a scenario, and checks that devices, org and System Log agree.\n"
    "Without a file: enrolls a fleet and signs everybody in.";
constexpr const char* kRunExamples =
    "Examples:\n"
    "  dt-sim run\n"
    "  dt-sim run --devices 10000 --json result.json\n"
    "  dt-sim run --processes --run-dir build/run\n"
    "  dt-sim run ca-outage\n"
    "  dt-sim run mine.yaml --junit junit.xml\n"
    "Exit codes: 0 all agrees, 1 it does not or something failed, 2 bad usage or scenario, 3 the\n"
    "generator did not keep to its schedule, so that figures mean nothing, 128 and the signal's\n"
    "number when one ended it (130 for Ctrl-C). An earlier file of --json is removed first; the "
    "new\n"
    "one says \"valid\": false and why, whatever went wrong.";
constexpr const char* kUpAbout =
    "Keeps an environment running for your own apps, browsers and agents, until Ctrl-C.";
constexpr const char* kUpExamples =
    "Examples:\n"
    "  dt-sim up --run-dir run\n"
    "  dt-sim up --sp-metadata my-app.xml\n"
    "  dt-sim up --wsfed-realm urn:example:app --wsfed-reply http://localhost:3000/\n"
    "  dt-sim up --org-port 0 --mtls-port 0 --wait-file ready\n"
    "  dt-sim up -- npm test      starts, runs that with DT_ENDPOINTS set, stops\n"
    "Exit codes: 0 stopped after it was ready (with a command: the command's), 1 failure, 2 bad\n"
    "usage, 128 and the signal's number when one ended it before (130 for Ctrl-C).";
constexpr const char* kHandshakeAbout =
    "Loads any server with mutual-TLS handshakes, each with another client certificate.";
constexpr const char* kHandshakeExamples =
    "Examples:\n"
    "  dt-sim handshake                          the dt-sim up that runs, with its certificates\n"
    "  dt-sim handshake --make pki --certificates 10000\n"
    "  dt-sim handshake localhost:8443 --certs pki --rate 500 --ramp 5 --for 30\n"
    "  dt-sim handshake 10.0.0.7:443 --certs pki --threads 4 --concurrency 64 --no-request\n"
    "It says when not the server was measured but the generator itself, or the machine of both.\n"
    "Exit codes: 0 every connection came out as expected, 1 some did not, or nobody listens, 2 "
    "bad\n"
    "usage, 128 and the signal's number when one ended it (130 for Ctrl-C).";
constexpr const char* kScenariosAbout = "Lists the scenarios that ship, or prints one.";
constexpr const char* kScenariosExamples =
    "Examples:\n"
    "  dt-sim scenarios\n"
    "  dt-sim scenarios quick-start > mine.yaml\n"
    "  dt-sim scenarios --schema > scenario.schema.json";
constexpr const char* kCheckAbout =
    "Says whether a scenario file is good; else file, line, column and remedy.";
constexpr const char* kCheckExamples =
    "Examples:\n"
    "  dt-sim check mine.yaml\n"
    "Exit codes: 0 it is good, 2 it is not.";
constexpr const char* kReportAbout =
    "Makes a page of a result of dt-sim run --json, in one file that needs no network.";
constexpr const char* kReportExamples =
    "Examples:\n"
    "  dt-sim report result.json\n"
    "  dt-sim report result.json --out page.html";
constexpr const char* kCompareAbout =
    "Says whether the second of two results is worse, with 95 % intervals from a bootstrap.";
constexpr const char* kCompareExamples =
    "Examples:\n"
    "  dt-sim compare before.json after.json\n"
    "  dt-sim compare rounds-before rounds-after --tolerance 10\n"
    "A folder's results are rounds of the same; five or more on each side are enough to judge by.\n"
    "What is there no more after (an operation, a threshold that held) counts as worse.\n"
    "Exit codes: 0 not worse, 1 worse or something failed, 2 bad usage, 3 nothing to compare: a\n"
    "run that failed or was INVALID, or no operation in common.";
constexpr const char* kMergeAbout = "Adds up results of parts of one run, as JSON.";
constexpr const char* kMergeExamples =
    "Examples:\n"
    "  dt-sim merge part-1.json part-2.json --out result.json\n"
    "Exit codes: those of dt-sim run, of all parts together.";
constexpr const char* kExplainAbout =
    "Shows why one sign-in was decided as it was: each rule, each condition, the first remedy.";
constexpr const char* kExplainExamples =
    "Examples:\n"
    "  dt-sim explain 7F3K-9QXD\n"
    "  dt-sim explain 7f3k9qxd --run-dir run\n"
    "Looks at --run-dir, else at what DT_ENDPOINTS names, else at the only environment that runs,\n"
    "else at your last run.";

std::string ProgramFolder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return ".";
  // Shorter where people stand above it, as they do after a build.
  const auto near = std::filesystem::proximate(self.parent_path(), error);
  return error || *near.begin() == ".." ? self.parent_path().string() : near.string();
}

int Report(const absl::Status& status) {
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "dt-sim: %s\n", PrintableLines(std::string(status.message())).c_str());
  return absl::IsInvalidArgument(status) ? service::kUsageError : EXIT_FAILURE;
}

int Report(const absl::StatusOr<int>& exit_code) {
  return exit_code.ok() ? *exit_code : Report(exit_code.status());
}

// A verb with its options.
struct Verb {
  template <typename Options>
  Verb(CLI::App& app, const char* name, const char* about, const char* examples, Options& bound)
      : cli(app.add_subcommand(name, about)),
        options(service::OptionsOf(bound)),
        flags(*cli, options) {
    cli->footer(examples);
  }

  CLI::App* const cli;
  const service::Options options;
  const service::Flags flags;
};

// Hundreds of threads and a few cores: one that wakes up waits for the one at work, whose caches
// are warm. It saves 3 % of the CPU. All threads and children inherit it.
void PreferThroughput() {
  const sched_param none{};
  static_cast<void>(sched_setscheduler(0, SCHED_BATCH, &none));  // Refused: slower, no worse.
}

// Services, devices, browsers and apps hold both ends of each connection.
absl::Status CheckOpenFiles() {
  constexpr rlim_t kNeeded = 1024;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kNeeded) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "needs {} open files and may have {}: run ulimit -n {} first, or raise the hard limit",
      kNeeded, limit.rlim_cur, kNeeded));
}

// A script must not take half an answer for the whole.
int Flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fputs("dt-sim: standard output can't be written to.\n", stderr);
  return EXIT_FAILURE;
}

// Takes what follows "--" off the command line: the command of `up`. Nothing without "--".
std::optional<std::vector<std::string>> TakeCommand(int& argc, char** argv) {
  char** const end = argv + argc;
  char** const mark =
      std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
  if (mark == end) return std::nullopt;
  argc = static_cast<int>(mark - argv);
  return std::vector<std::string>(mark + 1, end);
}

absl::Status CheckUp(const UpOptions& up) {
  if (up.org_port == 0 || up.org_port != up.mtls_port) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--org-port and --mtls-port are both {}: give them two ports", up.org_port));
}

absl::Status SetSeed(RunOptions& run) {
  if (run.seed_text.empty()) return absl::OkStatus();
  std::uint64_t seed = 0;
  const char* const end = run.seed_text.data() + run.seed_text.size();
  const auto [stopped, error] = std::from_chars(run.seed_text.data(), end, seed);
  if (error != std::errc{} || stopped != end || seed > static_cast<std::uint64_t>(kSeedMax)) {
    return absl::InvalidArgumentError(
        fmt::format("--seed is \"{}\", and must be a whole number from 0 to {}",
                    Printable(run.seed_text), kSeedMax));
  }
  run.seed = seed;
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  PrepareProcess();
  RunOptions run;
  UpOptions up;
  ExplainOptions explain;
  HandshakeOptions handshake;
  ScenariosOptions scenarios;
  CheckOptions check;
  ReportOptions report;
  CompareOptions compare;
  MergeOptions merge;
  run.bin_dir = up.bin_dir = ProgramFolder();
  up.version = DT_VERSION;
  run.version = DT_VERSION;
  CLI::App app(kAbout, "dt-sim");
  service::SetHelpForm(app);
  app.set_version_flag("--version", DT_VERSION);
  app.require_subcommand(1);
  app.footer(kExamples);
  const Verb run_verb(app, "run", kRunAbout, kRunExamples, run);
  run_verb.cli->add_option("FILE", run.scenario,
                           "A scenario, or the name of one that ships (default: quick-start)");
  run_verb.cli->get_option("--json")->take_last();     // tools/quickstart gives these two;
  run_verb.cli->get_option("--run-dir")->take_last();  // what follows counts.
  const Verb up_verb(app, "up", kUpAbout, kUpExamples, up);
  const Verb explain_verb(app, "explain", kExplainAbout, kExplainExamples, explain);
  explain_verb.cli
      ->add_option("code", explain.code, "From a refusal page; case and dashes do not matter")
      ->required();
  const Verb handshake_verb(app, "handshake", kHandshakeAbout, kHandshakeExamples, handshake);
  handshake_verb.cli->add_option("HOST:PORT", handshake.target,
                                 "The server (default: a running environment's mTLS host)");
  const Verb scenarios_verb(app, "scenarios", kScenariosAbout, kScenariosExamples, scenarios);
  scenarios_verb.cli->add_option("NAME", scenarios.name, "Of one to print (default: a list)");
  const Verb check_verb(app, "check", kCheckAbout, kCheckExamples, check);
  check_verb.cli->add_option("FILE", check.file, "A scenario, or the name of one that ships")
      ->required();
  const Verb report_verb(app, "report", kReportAbout, kReportExamples, report);
  report_verb.cli->add_option("RESULT", report.result, "What dt-sim run --json wrote")->required();
  const Verb compare_verb(app, "compare", kCompareAbout, kCompareExamples, compare);
  compare_verb.cli->add_option("BEFORE", compare.before, "A result, or a folder of them")
      ->required();
  compare_verb.cli->add_option("AFTER", compare.after, "A result, or a folder of them")
      ->required();
  const Verb merge_verb(app, "merge", kMergeAbout, kMergeExamples, merge);
  merge_verb.cli->add_option("RESULT", merge.results, "Of each part")->required();
  service::RefuseEmptyTexts(app, {});
  if (argc == 1) {
    std::fputs(app.help().c_str(), stdout);
    return service::kUsageError;
  }
  const std::optional<std::vector<std::string>> command = TakeCommand(argc, argv);
  if (const auto code = service::ParseCommandLine(app, argc, argv)) return Flushed(*code);
  const auto refuse = [&app](const absl::Status& status) {
    return service::RefuseCommandLine(app, status);
  };
  for (const Verb* const verb :
       {&run_verb, &up_verb, &explain_verb, &handshake_verb, &scenarios_verb, &check_verb,
        &report_verb, &compare_verb, &merge_verb}) {
    if (!verb->cli->parsed()) continue;
    if (const absl::Status set = verb->flags.Set(verb->options); !set.ok()) return refuse(set);
  }
  if (command.has_value()) {
    if (!up_verb.cli->parsed() || command->empty()) {
      return refuse(absl::InvalidArgumentError(
          "-- stands between the options of dt-sim up and a command that it runs"));
    }
    up.command = *command;
  }

  if (explain_verb.cli->parsed()) return Flushed(Report(Explain(explain, stdout)));
  if (scenarios_verb.cli->parsed()) return Flushed(Report(ListScenarios(scenarios, stdout)));
  if (check_verb.cli->parsed()) return Flushed(Report(CheckScenario(check.file, stdout)));
  if (report_verb.cli->parsed()) return Flushed(Report(WriteReport(report, stdout)));
  if (compare_verb.cli->parsed()) return Flushed(Report(CompareRuns(compare, stdout)));
  if (merge_verb.cli->parsed()) return Flushed(Report(MergeRuns(merge, stdout)));
  if (const absl::Status enough = CheckOpenFiles(); !enough.ok()) return Report(enough);
  if (handshake_verb.cli->parsed()) return Flushed(Report(Handshake(handshake, stdout)));
  if (up_verb.cli->parsed()) {
    if (const absl::Status status = CheckUp(up); !status.ok()) return refuse(status);
    return Flushed(Report(RunUp(up, stdout)));
  }
  if (const absl::Status seed = SetSeed(run); !seed.ok()) return refuse(seed);
  PreferThroughput();
  return Flushed(Report(RunScenario(run, stdout)));
}

}  // namespace
}  // namespace devicetrust::simulator

int main(int argc, char** argv) { return devicetrust::simulator::Main(argc, argv); }
