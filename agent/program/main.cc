#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "agent/program/commands.h"
#include "agent/version.h"
#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/service/command_line.h"

namespace devicetrust::agent {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, or nothing to do; 1 refused or failed, somebody has to act; 2 bad usage;\n"
    "3 not now, the next run tries again; 4 not installed; 128 and the number of a signal.\n\n"
    "Examples:\n"
    "  dt-agent install OrgURL=https://acme.example.com\n"
    "  dt-agent run --user --debug\n"
    "  dt-agent run --user --forceRenewal\n";
constexpr const char* kInstallHelp =
    "Options, NAME=VALUE:\n"
    "  OrgURL=https://HOST[:PORT]      the org; must be given\n"
    "  SkipBrowserSetup=true           write no policy for Chrome, Chromium and Edge\n"
    "  HttpProxy=http://[USER:PASSWORD@]HOST:PORT\n"
    "                                  both tasks go through it, by CONNECT\n"
    "  SkipTpm=true                    keys in software, as this release keeps them all\n"
    "  TrustBundle=FILE                who signs the org's certificate (default: the system's)\n"
    "  Keytab=FILE                     the computer's keys (default: /etc/krb5.keytab)\n"
    "  Store=FOLDER                    keep certificates in PEM files, not in browsers' "
    "databases\n";

struct Given {
  bool quiet = false;
  bool user = false;
  bool device = false;
  bool json = false;
  RunFlags run;
  std::vector<std::string> words;
  std::string root;
};

std::string Home() {
  const char* const home = std::getenv("HOME");
  return home != nullptr ? home : "";
}

// Without a verb, as administrators know it: dt-agent --user --forceRenewal.
std::vector<const char*> WithVerb(int argc, char** argv) {
  std::vector<const char*> words(argv, argv + argc);
  const auto is_task = [](std::string_view word) { return word == "--user" || word == "--device"; };
  for (const std::string_view verb : {"run", "install", "uninstall"}) {
    if (std::find(words.begin(), words.end(), verb) != words.end()) return words;
  }
  words.insert(std::find_if(words.begin(), words.end(), is_task), "run");
  if (std::string_view(words.back()) == "run") words.pop_back();  // There is no task either.
  return words;
}

int Main(int argc, char** argv) {
  PrepareProcess();
  Given given;
  CLI::App app("Enrolls this computer's user with Device Trust", "dt-agent");
  service::SetHelpForm(app);
  app.set_version_flag("--version", kThisVersion.Text());
  app.footer(kFooter);
  app.require_subcommand(1);
  app.add_option("--root", given.root, "A folder that stands for /, as of an image")
      ->type_name("FOLDER");

  CLI::App& install = *app.add_subcommand("install", "Install, or change an installation");
  install.footer(kInstallHelp);
  install.add_flag("--quiet", given.quiet, "Say nothing but what went wrong");
  install.add_option("options", given.words, "NAME=VALUE, see below")->type_name("");
  CLI::App& run = *app.add_subcommand("run", "Run a task now");
  run.add_flag("--user", given.user, "Enroll or renew the certificate of who runs this");
  run.add_flag("--device", given.device, "Set up browsers, and see that the computer can log on");
  run.add_flag("--forceRenewal", given.run.force_renewal, "A new certificate, whatever is there");
  run.add_flag("--debug", given.run.debug, "Print each step and what tokens claim");
  CLI::App& serve = *app.add_subcommand("serve-user", "Answer one user task on standard input");
  serve.group("");
  CLI::App& status = *app.add_subcommand("status", "Installation and certificate");
  status.add_flag("--json", given.json, "For programs");
  CLI::App& doctor = *app.add_subcommand("doctor", "Look for what keeps it from working");
  CLI::App& uninstall = *app.add_subcommand("uninstall", "Remove the installation");
  uninstall.add_flag("--user", given.user, "Remove the user's certificate and key instead");
  uninstall.add_flag("--quiet", given.quiet, "Say nothing but what went wrong");

  const std::vector<const char*> words = WithVerb(argc, argv);
  if (const auto code =
          service::ParseCommandLine(app, static_cast<int>(words.size()), words.data())) {
    return *code;
  }
  const Paths paths{given.root, Home()};
  if (install.parsed()) return Install(paths, given.words, given.quiet);
  if (uninstall.parsed()) return Uninstall(paths, given.user, given.quiet);
  if (status.parsed()) return ShowStatus(paths, given.json);
  if (doctor.parsed()) return Doctor(paths);
  if (serve.parsed()) return ServeUser(paths);
  if (given.user == given.device) {
    return service::RefuseCommandLine(
        run, absl::InvalidArgumentError("say which task: --user or --device"));
  }
  return given.user ? RunUser(paths, given.run) : RunDevice(paths, given.run);
}

}  // namespace
}  // namespace devicetrust::agent

int main(int argc, char** argv) { return devicetrust::agent::Main(argc, argv); }
