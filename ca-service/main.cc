#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "ca-service/ca_server.h"
#include "ca-service/config.h"
#include "libs/base/clock.h"
#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/base/random.h"

namespace devicetrust::ca {
namespace {

struct Options {
  Config config;
  std::string ready_file;
  std::string log_file;
  std::string log_level = "info";
};

void AddFileOptions(CLI::App& app, Config& config) {
  app.add_option("--kek-file", config.kek_file, "Key-encryption key, 64 hex digits, mode 0600")
      ->required();
  app.add_option("--edge-cert", config.edge_cert, "Edge listener's certificate chain, PEM")
      ->required();
  app.add_option("--edge-key", config.edge_key, "Its private key, PEM, mode 0600")->required();
  app.add_option("--internal-cert", config.internal_cert,
                 "Certificate of this component (urn:devicetrust:ORG:component:ca), PEM")
      ->required();
  app.add_option("--internal-key", config.internal_key, "Its private key, PEM, mode 0600")
      ->required();
  app.add_option("--deployment-ca", config.deployment_ca, "CA certificates of all components, PEM")
      ->required();
}

void AddOptions(CLI::App& app, Options& options) {
  Config& config = options.config;
  app.add_option("--org", config.org, "Id of the org")->capture_default_str();
  app.add_option("--database", config.database, "sqlite:PATH")->capture_default_str();
  AddFileOptions(app, config);
  app.add_option("--edge-listen", config.edge_listen, "For agents, host:port")
      ->capture_default_str();
  app.add_option("--edge-address", config.edge_address,
                 "What agents are told, host:port (default: as bound)");
  app.add_option("--internal-listen", config.internal_listen,
                 "For components and admins, host:port")
      ->capture_default_str();
  app.add_option("--org-address", config.org_address, "dt-policy's internal listener, host:port")
      ->capture_default_str();
  app.add_option("--org-server-name", config.org_server_name, "Name in its certificate")
      ->capture_default_str();
  app.add_option("--http-listen", config.http_listen, "CRL and CA certificates, host:port")
      ->capture_default_str();
  app.add_option("--public-http-url", config.public_http_url,
                 "URL of that listener as certificates name it (default: as bound)");
  app.add_option("--validity-days", config.validity_days, "Lifetime of a device certificate")
      ->check(CLI::Range(1, 825))
      ->capture_default_str();
  app.add_option("--log-backlog-max", config.log_backlog_max,
                 "Undelivered events before enrolment says UNAVAILABLE")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000'000}))
      ->capture_default_str();
  app.add_option("--store-bytes-max", config.store_bytes_max, "Size limit of the store, 0: none")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 50))
      ->capture_default_str();
  app.add_option("--ready-file", options.ready_file, "Written once everything answers, JSON");
  app.add_option("--log-file", options.log_file, "Instead of standard error");
  app.add_option("--log-level", options.log_level, "debug, info, warning, error, off")
      ->capture_default_str();
}

absl::Status Run(const Options& options) {
  SetLogComponent("dt-ca");
  DT_RETURN_IF_ERROR(SetLogLevel(options.log_level));
  if (!options.log_file.empty()) DT_RETURN_IF_ERROR(SetLogFile(options.log_file));
  SystemClock clock;
  SystemRandom random;
  DT_ASSIGN_OR_RETURN(const auto server, CaServer::Create(options.config, clock, random));
  DT_RETURN_IF_ERROR(WriteReadyFile(options.ready_file, server->addresses()));
  Log(LogLevel::kInfo, "process.stopping", {{"signal", WaitForStopSignal()}});
  server->Stop();
  return absl::OkStatus();
}

int Report(const absl::Status& status) {
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "dt-ca: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace devicetrust::ca

// Flags override the file, the file overrides defaults; every option has both spellings
// (--org and `org = ...`). Exit: 0 clean stop, 1 failure, 2 usage.
int main(int argc, char** argv) {
  devicetrust::PrepareProcess();
  devicetrust::ca::Options options;
  CLI::App app("Device Trust certificate authority", "dt-ca");
  app.set_version_flag("--version", DT_VERSION);
  app.set_config("--config", "", "TOML file with any of the options below")
      ->check(CLI::ExistingFile);
  app.allow_config_extras(CLI::config_extras_mode::error);
  devicetrust::ca::AddOptions(app, options);
  auto* const check =
      app.add_subcommand("check-config", "Check options and files, then exit")->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : 2;
  }
  if (check->parsed()) {
    return devicetrust::ca::Report(devicetrust::ca::CheckConfig(options.config));
  }
  return devicetrust::ca::Report(devicetrust::ca::Run(options));
}
