// dt-iwa: proof of domain membership for agents. Flags override the file, the file
// overrides defaults. Exit: 0 clean stop, 1 failure, 2 usage.
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <iostream>
#include <string>

#include "iwa/config.h"
#include "iwa/iwa_server.h"
#include "libs/base/log.h"
#include "libs/base/process.h"

namespace {

struct Options {
  devicetrust::iwa::Config config;
  std::string ready_file;
  std::string log_file;
  std::string log_level = "info";
};

void AddListenerFlags(CLI::App& app, devicetrust::iwa::Config& config) {
  app.add_option("--edge-listen", config.edge_listen, "host:port for agents")
      ->capture_default_str();
  app.add_option("--edge-cert", config.edge_cert, "PEM chain of that listener");
  app.add_option("--edge-key", config.edge_key, "PEM key of that listener, mode 0600");
  app.add_option("--edge-address", config.edge_address,
                 "host:port that agents are told, when it is not --edge-listen");
  app.add_option("--internal-listen", config.internal_listen, "host:port for components")
      ->capture_default_str();
  app.add_option("--internal-cert", config.internal_cert,
                 "PEM certificate urn:devicetrust:ORG:component:NAME");
  app.add_option("--internal-key", config.internal_key, "its PEM key, mode 0600");
  app.add_option("--deployment-ca", config.deployment_ca, "PEM CA of the components");
  app.add_option("--org-address", config.org_address, "host:port of dt-policy")
      ->capture_default_str();
  app.add_option("--account-calls-per-minute", config.account_calls_per_minute,
                 "calls of one account in a minute")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--in-flight-max", config.in_flight_max, "calls of agents at once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
}

void AddDomainFlags(CLI::App& app, devicetrust::iwa::Config& config) {
  app.add_option("--spn", config.spn, "service principal that agents ask a ticket for")
      ->capture_default_str();
  app.add_option("--keytab", config.keytab, "keytab with its keys, mode 0600");
  app.add_option("--replay-cache", config.replay_cache, "file of this IWA alone")
      ->capture_default_str();
  app.add_option("--krb5-config", config.krb5_config, "krb5.conf; default: KRB5_CONFIG");
  app.add_option("--realm", config.realms, "served realms, in capitals")->capture_default_str();
  app.add_flag("--primary,!--backup", config.primary, "primary IWA of its forests, or backup");
  app.add_option("--ldap-url", config.ldap_url, "ldaps://host:port of the directory");
  app.add_option("--ldap-ca", config.ldap_ca, "PEM CA of the directory");
  app.add_option("--ldap-domain", config.ldap_domain, "DNS name where searches begin")
      ->capture_default_str();
  app.add_option("--ldap-bind-dn", config.ldap_bind_dn, "account that searches");
  app.add_option("--ldap-password-file", config.ldap_password_file, "its password, mode 0600");
  app.add_option("--ldap-connections", config.ldap_connections, "searches at once")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
}

int Fail(const absl::Status& status) {
  std::cerr << "dt-iwa: " << std::string(status.message()) << "\n";
  return EXIT_FAILURE;
}

int Run(const Options& options) {
  using namespace devicetrust;
  SetLogComponent("iwa");
  if (absl::Status status = SetLogLevel(options.log_level); !status.ok()) return Fail(status);
  if (!options.log_file.empty()) {
    if (absl::Status status = SetLogFile(options.log_file); !status.ok()) return Fail(status);
  }
  const SystemClock clock;
  SystemRandom random;
  auto server = iwa::IwaServer::Create(options.config, clock, random);
  if (!server.ok()) return Fail(server.status());
  if (absl::Status status = WriteReadyFile(options.ready_file, (*server)->addresses());
      !status.ok()) {
    return Fail(status);
  }
  Log(LogLevel::kInfo, "iwa.ready", {{"edge", (*server)->addresses().front().second}});
  WaitForStopSignal();
  (*server)->Stop();
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  devicetrust::PrepareProcess();
  Options options;
  CLI::App app("Integrated Windows authentication server: proof of domain membership", "dt-iwa");
  app.set_version_flag("--version", DT_VERSION);
  app.set_config("--config", "", "TOML file with any of the options below")
      ->check(CLI::ExistingFile);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--org", options.config.org, "org id")->capture_default_str();
  app.add_option("--name", options.config.name, "name of this IWA")->capture_default_str();
  app.add_option("--database", options.config.database, "store of the signing key")
      ->capture_default_str();
  app.add_option("--kek-file", options.config.kek_file,
                 "key-encryption key, 64 hex digits, mode 0600");
  AddListenerFlags(app, options.config);
  AddDomainFlags(app, options.config);
  app.add_option("--ready-file", options.ready_file, "written once serving: bound addresses");
  app.add_option("--log-file", options.log_file, "default: standard error");
  app.add_option("--log-level", options.log_level, "debug, info, warning, error, off")
      ->capture_default_str();
  CLI::App* check = app.add_subcommand(
      "check-config", "checks options and files; a running dt-iwa sees a change after a restart");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
  }
  if (!check->parsed()) return Run(options);
  if (absl::Status status = devicetrust::iwa::CheckConfig(options.config); !status.ok()) {
    return Fail(status);
  }
  std::cout << "dt-iwa: configuration is good; restart dt-iwa to use it\n";
  return EXIT_SUCCESS;
}
