#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "libs/base/printable.h"
#include "libs/base/process.h"
#include "libs/base/status.h"
#include "simulator/verbs/explain_command.h"
#include "simulator/verbs/run.h"
#include "simulator/verbs/up.h"

namespace devicetrust::simulator {
namespace {

constexpr int kUsage = 2;

// One sentence, then examples that work as typed.
constexpr const char* kAbout =
    "Shows device trust at work: a fake Active Directory, the services and any number of virtual\n"
    "devices, all on this machine, with real Kerberos, LDAP, TLS and SAML.\n\n"
    "  watch it work     dt-sim run\n"
    "  keep it running   dt-sim up --run-dir run\n"
    "  ask why           dt-sim explain 7F3K-9QXD\n";
constexpr const char* kRunAbout =
    "Enrolls a fleet, signs everybody in, and checks that devices, org and System Log agree.\n\n"
    "  dt-sim run\n"
    "  dt-sim run --devices 10000 --json result.json\n"
    "  dt-sim run --processes --run-dir build/run\n\n"
    "Exit code 0: all agrees; 1: it does not, or something failed; 2: bad usage.\n";
constexpr const char* kUpAbout =
    "Keeps an environment running for your own apps, browsers and agents, until Ctrl-C.\n\n"
    "  dt-sim up\n"
    "  dt-sim up --run-dir run --sp-metadata my-app.xml\n"
    "  dt-sim up --org-port 0 --mtls-port 0 --wait-file ready\n";
constexpr const char* kExplainAbout =
    "Shows why one sign-in was decided as it was: each rule, each condition, the first remedy.\n\n"
    "  dt-sim explain 7F3K-9QXD\n"
    "  dt-sim explain 7f3k9qxd --run-dir run\n\n"
    "Looks at the environment that you have running, else at your last run.\n";

// The list of verbs shows of each its first line.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* verb) const override {
    const std::string about = verb->get_description();
    return fmt::format("  {:<12}{}\n", verb->get_name(), about.substr(0, about.find('\n')));
  }
};

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
  return absl::IsInvalidArgument(status) ? kUsage : EXIT_FAILURE;
}

// CLI11 makes another number of one that is negative or too big.
CLI::Validator WholeNumber() {
  return {[](const std::string& text) {
            std::uint64_t number = 0;
            const char* const end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data(), end, number);
            const bool good = error == std::errc() && stop == end;
            return good ? "" : fmt::format("{} is no whole number below 2^64", text);
          },
          ""};
}

void AddRun(CLI::App& app, RunOptions& options) {
  CLI::App* const run = app.add_subcommand("run", kRunAbout);
  run->add_option("--devices", options.devices, "How many; four of five are domain-joined")
      ->check(CLI::Range(std::size_t{1}, std::size_t{50'000}))
      ->capture_default_str();
  run->add_option("--seed", options.seed, "Names, mix and secrets follow from it")
      ->check(WholeNumber())
      ->capture_default_str();
  // tools/quickstart gives these two; what follows counts.
  run->add_option("--json", options.json_path, "Write the result there")->take_last();
  run->add_option("--run-dir", options.run_dir,
                  "Folder for logs and decisions, whose contents are replaced [a temporary one, "
                  "removed after a valid run]")
      ->take_last();
  run->add_flag("--processes", options.processes,
                "Start the services as programs of their own instead of inside dt-sim");
  run->add_flag_callback(
      "--no-story", [&options] { options.story = false; }, "Leave out the first device's story");
}

void AddUp(CLI::App& app, UpOptions& options) {
  CLI::App* const up = app.add_subcommand("up", kUpAbout);
  up->add_option("--devices", options.devices, "How many; four of five are domain-joined")
      ->check(CLI::Range(std::size_t{10}, std::size_t{50'000}))
      ->capture_default_str();
  up->add_option("--seed", options.seed, "Names, passwords and mix follow from it")
      ->check(WholeNumber())
      ->capture_default_str();
  up->add_option("--run-dir", options.run_dir,
                 "Folder for endpoints.json, keys and logs, whose contents are replaced [a "
                 "temporary one]");
  up->add_option("--org-port", options.org_port, "Port of org.localhost, 0: any free one")
      ->capture_default_str();
  up->add_option("--mtls-port", options.mtls_port, "Port of mtls.localhost, 0: any free one")
      ->capture_default_str();
  up->add_option("--sp-metadata", options.sp_metadata,
                 "SAML metadata of an app of yours; may come more than once")
      ->check(CLI::ExistingFile);
  up->add_option("--wait-file", options.wait_file,
                 "Written once every port answers; holds the path of endpoints.json");
  up->add_option("--ready-fd", options.ready_fd, "A line is written there, then")
      ->check(CLI::Range(0, 1023));
  up->add_flag("--processes", options.processes,
               "Start the services as programs of their own instead of inside dt-sim");
}

void AddExplain(CLI::App& app, ExplainOptions& options) {
  CLI::App* const explain = app.add_subcommand("explain", kExplainAbout);
  explain->add_option("code", options.code, "From a refusal page; case and dashes do not matter")
      ->required();
  explain->add_option("--run-dir", options.run_dir,
                      "Folder of a running environment or of an earlier run");
}

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

int Main(int argc, char** argv) {
  PrepareProcess();
  RunOptions run;
  UpOptions up;
  ExplainOptions explain;
  run.bin_dir = up.bin_dir = ProgramFolder();
  CLI::App app(kAbout, "dt-sim");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("--version", DT_VERSION);
  app.require_subcommand(1);
  AddRun(app, run);
  AddUp(app, up);
  AddExplain(app, explain);
  if (argc == 1) {
    std::fputs(app.help().c_str(), stdout);
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> rest = app.remaining();
    if (app.get_subcommands().empty() && !rest.empty() && !rest.front().starts_with('-')) {
      return Report(absl::InvalidArgumentError(
          fmt::format("there is no verb {}; dt-sim --help lists them", rest.front())));
    }
    return app.exit(error) == 0 ? EXIT_SUCCESS : kUsage;
  }

  if (app.got_subcommand("explain")) return Flushed(Report(Explain(explain, stdout)));
  if (const absl::Status enough = CheckOpenFiles(); !enough.ok()) return Report(enough);
  if (app.got_subcommand("up")) {
    if (up.org_port != 0 && up.org_port == up.mtls_port) {
      return Report(absl::InvalidArgumentError(
          fmt::format("--org-port and --mtls-port are both {}: give them two ports", up.org_port)));
    }
    return Flushed(Report(RunUp(up, stdout)));
  }
  PreferThroughput();
  const absl::StatusOr<bool> valid = RunScenario(run, stdout);
  if (!valid.ok()) return Report(valid.status());
  return Flushed(*valid ? EXIT_SUCCESS : EXIT_FAILURE);
}

}  // namespace
}  // namespace devicetrust::simulator

int main(int argc, char** argv) { return devicetrust::simulator::Main(argc, argv); }
