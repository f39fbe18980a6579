#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "libs/base/log.h"
#include "tools/dtctl/admin_client.h"
#include "tools/dtctl/endpoints.h"
#include "tools/dtctl/text.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

struct Options {
  std::string endpoints_file;
  EndpointFlags endpoints;
  RevokeOptions revoke;
  LogOptions log;
  DeviceTrustOptions device_trust;
  std::string learn_more_url;
  std::string code;
  bool explain_json = false;
};

// What a person looks for first stands first: usage, then the examples, then the options.
class ExamplesFirst : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    const std::string usage = Formatter::make_usage(app, std::move(name));
    return app->get_footer().empty() ? usage : usage + "\n" + app->get_footer() + "\n";
  }
  std::string make_footer(const CLI::App* /*app*/) const override { return ""; }
};

void AddConnection(CLI::App& app, Options& options) {
  // CLI11 reads the file before it looks at the environment.
  const char* const named = std::getenv("DTCTL_CONFIG");
  const std::string file = named == nullptr ? "" : named;
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--config", file, "TOML file with any of the options below")
      ->check(CLI::ExistingFile)
      ->envname("DTCTL_CONFIG")
      ->group("Which deployment");
  const auto add = [&app](const char* name, std::string& value, const char* help) {
    return app.add_option(name, value, help)->group("Which deployment");
  };
  add("--endpoints", options.endpoints_file, "endpoints.json of a running `dt-sim up`")
      ->envname("DTCTL_ENDPOINTS");
  add("--org-address", options.endpoints.org_address, "host:port of the org's internal listener");
  add("--ca-address", options.endpoints.ca_address, "host:port of the CA's internal listener");
  add("--deployment-ca", options.endpoints.deployment_ca,
      "PEM file: the CA that signs the services' certificates");
  add("--cert", options.endpoints.certificate, "PEM file: your admin certificate");
  add("--key", options.endpoints.key, "PEM file: its key, readable by you alone");
}

void AddRevoke(CLI::App& app, RevokeOptions& options) {
  auto* verb = app.add_subcommand("revoke",
                                  "Revoke device certificates; every gateway knows "
                                  "within a second");
  auto* which = verb->add_option_group("What to revoke")->require_option(1);
  which->add_option("--user", options.user,
                    "All certificates of this person: principal, SID or id");
  which->add_option("--serial", options.serial,
                    "The certificate of this serial, in hex, as openssl prints it");
  verb->add_option("--reason", options.reason, "Why, for the CRL and the System Log")
      ->check(CLI::IsMember(RevocationReasons()))
      ->capture_default_str();
  verb->add_flag("--yes", options.yes, "Don't ask first");
  verb->add_flag("--json", options.json, "Print the answer as JSON");
  verb->footer(
      "Examples:\n"
      "  dtctl revoke --user ada@corp.test                     a lost computer\n"
      "  dtctl revoke --serial 4a1f03 --reason key-compromise  one certificate\n"
      "  dtctl revoke --user ada@corp.test --yes --json        from a script\n"
      "The files stay on the computers: remove them there before enrolling again.");
}

void AddLog(CLI::App& app, LogOptions& options) {
  auto* verb = app.add_subcommand("log", "Show the System Log, oldest first");
  verb->add_option("--type", options.types, "Only this event type; may be given again");
  verb->add_option("--user", options.user, "Only events by or about this person: principal or id");
  verb->add_option("--device", options.device, "Only events of this device id");
  verb->add_option("--since", options.since, "From: 90s, 15m, 2h, 7d ago, or 2026-11-24T08:00:00Z");
  verb->add_option("--until", options.until, "Up to, in the same forms");
  verb->add_option("--limit", options.limit, "At most so many, the newest")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  verb->add_flag("--follow,-f", options.follow, "Go on with what happens next, until Ctrl-C");
  verb->add_flag("--json", options.json, "One JSON object a line");
  verb->footer(
      "Examples:\n"
      "  dtctl log --since 15m\n"
      "  dtctl log --follow --type pki.cert.issue --type pki.cert.revoke\n"
      "  dtctl log --user ada@corp.test --json | jq .debug_data");
}

void AddDeviceTrust(CLI::App& app, Options& options) {
  auto* verb = app.add_subcommand("device-trust", "The org's Device Trust setting");
  verb->require_subcommand(1);
  auto* status = verb->add_subcommand("status", "Show it, and what else must be on");
  auto* on = verb->add_subcommand("on", "Switch it on");
  auto* off = verb->add_subcommand("off", "Switch it off; refused while rules ask for trust");
  for (CLI::App* one : {status, on, off}) {
    one->add_flag("--json", options.device_trust.json, "Print the settings as JSON");
  }
  on->add_option(
      "--learn-more-url", options.learn_more_url,
      "Where the refusal page's Learn more leads: https, a public name; \"\" removes it");
  off->add_flag("--force", options.device_trust.force,
                "Although rules ask for trust: they then match nobody");
  verb->footer(
      "Examples:\n"
      "  dtctl device-trust status\n"
      "  dtctl device-trust on --learn-more-url https://help.example.com/device-trust\n"
      "  dtctl device-trust off");
}

void AddExplain(CLI::App& app, Options& options) {
  auto* verb = app.add_subcommand("explain", "Why a sign-in was allowed or refused, rule by rule");
  verb->add_option("code", options.code,
                   "The code on the refusal page; case and dashes don't matter")
      ->required();
  verb->add_flag("--json", options.explain_json, "Print the whole trace as JSON");
  verb->footer(
      "Examples:\n"
      "  dtctl explain 7F3K-9QXD\n"
      "  dtctl explain 7f3k9qxd --json | jq .rules\n"
      "  dtctl log --type policy.evaluate_sign_on --since 1h   finds codes");
}

// The word where a verb is missing; CLI11 says only that one is.
std::string UnknownVerb(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  if (at->get_require_subcommand_min() == 0 ||
      error.get_exit_code() != static_cast<int>(CLI::ExitCodes::RequiredError)) {
    return "";
  }
  for (const std::string& word : at->remaining()) {
    if (!word.starts_with('-')) return word;
  }
  return "";
}

// A script must not take half an answer for the whole.
int Flushed(int code) {
  if (std::cout.flush().good()) return code;
  std::cerr << "dtctl: standard output can't be written to.\n";
  return EXIT_FAILURE;
}

int Run(const CLI::App& app, Options& options) {
  const auto endpoints = options.endpoints_file.empty() ? EndpointsFromFlags(options.endpoints)
                                                        : ReadEndpointsFile(options.endpoints_file);
  if (!endpoints.ok()) {
    Failed(endpoints.status());
    return 2;
  }
  AdminClient client(*endpoints);

  if (app.got_subcommand("revoke")) return Revoke(client, options.revoke);
  if (app.got_subcommand("log")) return ShowLog(client, options.log, SystemClock());
  if (app.got_subcommand("explain")) return Explain(client, options.code, options.explain_json);
  const CLI::App* verb = app.get_subcommand("device-trust");
  if (verb->got_subcommand("status")) return ShowDeviceTrust(client, options.device_trust);
  const CLI::App* on = verb->get_subcommand("on");
  if (on->count("--learn-more-url") > 0) {
    options.device_trust.learn_more_url = options.learn_more_url;
  }
  return SwitchDeviceTrust(client, verb->got_subcommand("on"), options.device_trust);
}

int Main(int argc, char** argv) {
  // The answers and errors are for people; what libraries log would stand between them.
  static_cast<void>(SetLogLevel("off"));
  Options options;
  CLI::App app("Administers a Device Trust deployment.", "dtctl");
  app.set_version_flag("--version", DT_VERSION);
  app.require_subcommand(1);
  const auto help = std::make_shared<ExamplesFirst>();
  help->column_width(34);
  app.formatter(help);
  AddConnection(app, options);
  AddRevoke(app, options.revoke);
  AddLog(app, options.log);
  AddDeviceTrust(app, options);
  AddExplain(app, options);
  app.footer(
      "Examples:\n"
      "  dtctl --endpoints run/endpoints.json device-trust status\n"
      "  dtctl --endpoints run/endpoints.json log --follow\n"
      "  DTCTL_ENDPOINTS=run/endpoints.json dtctl explain 7F3K-9QXD\n"
      "Exit codes: 0 done, 1 refused or failed, 2 bad usage. `dtctl VERB --help` shows each verb.");
  if (argc == 1) {
    std::cout << app.help();
    return Flushed(2);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (const std::string word = UnknownVerb(app, error); !word.empty()) {
      std::cerr << fmt::format("dtctl: there is no verb {}; --help lists them\n", Printable(word));
      return 2;
    }
    return Flushed(app.exit(error) == 0 ? EXIT_SUCCESS : 2);
  }
  return Flushed(Run(app, options));
}

}  // namespace
}  // namespace devicetrust::ctl

int main(int argc, char** argv) { return devicetrust::ctl::Main(argc, argv); }
