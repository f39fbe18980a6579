#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "policy-engine/config.h"
#include "policy-engine/policy_server.h"

namespace devicetrust::policy {
namespace {

struct Options {
  Config config;
  std::string capability;
  std::string ready_file;
  std::string log_file;
  std::string log_level = "info";
};

void AddFileOptions(CLI::App& app, Config& config) {
  app.add_option("--kek-file", config.kek_file, "Key-encryption key, 64 hex digits, mode 0600")
      ->required();
  app.add_option("--internal-cert", config.internal_cert,
                 "Certificate of this component (urn:devicetrust:ORG:component:policy), PEM")
      ->required();
  app.add_option("--internal-key", config.internal_key, "Its private key, PEM, mode 0600")
      ->required();
  app.add_option("--deployment-ca", config.deployment_ca, "CA certificates of all components, PEM")
      ->required();
}

void AddDirectoryOptions(CLI::App& app, Config& config) {
  app.add_option("--ldap-url", config.ldap_url,
                 "Directory that checks passwords, ldaps://HOST:PORT");
  app.add_option("--ldap-ca", config.ldap_ca, "CA of the directory's certificate, PEM");
  app.add_option("--ldap-bind-dn", config.ldap_bind_dn, "Account that searches: UPN or DN");
  app.add_option("--ldap-password-file", config.ldap_password_file, "Its password, mode 0600");
  app.add_option("--domain", config.domain, "DNS name of the domain, e.g. corp.test");
}

void AddOptions(CLI::App& app, Options& options) {
  Config& config = options.config;
  app.add_option("--org", config.org, "Id of the org")->capture_default_str();
  app.add_option("--database", config.database, "sqlite:PATH")->capture_default_str();
  app.add_option("--log-database", config.log_database, "sqlite:PATH of the System Log")
      ->capture_default_str();
  AddFileOptions(app, config);
  app.add_option("--internal-listen", config.internal_listen,
                 "For components and admins, host:port")
      ->capture_default_str();
  app.add_option("--ca-address", config.ca_address, "dt-ca's internal listener, host:port")
      ->capture_default_str();
  app.add_option("--ca-server-name", config.ca_server_name, "Name in its certificate")
      ->capture_default_str();
  AddDirectoryOptions(app, config);
  app.add_option("--capability", options.capability,
                 "Switch Device Trust for the whole deployment (default: as it was, at first on)")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--log-backlog-max", config.log_backlog_max,
                 "Events of the org that may wait for the System Log")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000'000}))
      ->capture_default_str();
  app.add_option("--store-bytes-max", config.store_bytes_max, "Size limit of each store, 0: none")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 50))
      ->capture_default_str();
  app.add_option("--ready-file", options.ready_file, "Written once everything answers, JSON");
  app.add_option("--log-file", options.log_file, "Instead of standard error");
  app.add_option("--log-level", options.log_level, "debug, info, warning, error, off")
      ->capture_default_str();
}

absl::Status Run(const Options& options) {
  SetLogComponent("dt-policy");
  DT_RETURN_IF_ERROR(SetLogLevel(options.log_level));
  if (!options.log_file.empty()) DT_RETURN_IF_ERROR(SetLogFile(options.log_file));
  SystemClock clock;
  SystemRandom random;
  DT_ASSIGN_OR_RETURN(const auto server, PolicyServer::Create(options.config, clock, random));
  DT_RETURN_IF_ERROR(WriteReadyFile(options.ready_file, server->addresses()));
  Log(LogLevel::kInfo, "process.stopping", {{"signal", WaitForStopSignal()}});
  server->Stop();
  return absl::OkStatus();
}

int Report(const absl::Status& status) {
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "dt-policy: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace devicetrust::policy

// Flags override the file, the file overrides defaults; every option has both spellings
// (--org and `org = ...`). Exit: 0 clean stop, 1 failure, 2 usage.
int main(int argc, char** argv) {
  devicetrust::PrepareProcess();
  devicetrust::policy::Options options;
  CLI::App app("Device Trust org: settings, people, policy, System Log", "dt-policy");
  app.set_version_flag("--version", DT_VERSION);
  app.set_config("--config", "", "TOML file with any of the options below")
      ->check(CLI::ExistingFile);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.footer(
      "Examples:\n"
      "  dt-policy --config policy.toml\n"
      "  dt-policy --config policy.toml check-config\n"
      "  dt-policy --config policy.toml --capability off    (Device Trust off, sign-ins go on)");
  devicetrust::policy::AddOptions(app, options);
  auto* const check =
      app.add_subcommand("check-config", "Check options and files, then exit")->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
  }
  if (!options.capability.empty()) options.config.capability = options.capability == "on";
  if (check->parsed()) {
    return devicetrust::policy::Report(devicetrust::policy::CheckConfig(options.config));
  }
  return devicetrust::policy::Report(devicetrust::policy::Run(options));
}
