// Flags override the file, the file overrides defaults; every option has both spellings
// (--org-listen and `org-listen = ...`). Exit: 0 clean stop, 1 failure, 2 usage.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/log.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "simulator/gateway/gateway_server.h"

namespace {

using devicetrust::gateway::Config;

struct Process {
  std::string ready_file;
  std::string log_file;
  std::string log_level = "info";
};

void AddHosts(CLI::App& app, Config& config) {
  app.add_option("--org", config.org, "Name of the org")->capture_default_str();
  app.add_option("--org-listen", config.org_listen, "Sign-in and SAML, HOST:PORT")
      ->capture_default_str();
  app.add_option("--org-host", config.org_host, "Host name of sign-in")->capture_default_str();
  app.add_option("--org-cert", config.org_cert, "Certificate for --org-host, PEM")->required();
  app.add_option("--org-key", config.org_key, "Its private key, PEM, readable by us only")
      ->required();
  app.add_option("--org-url", config.org_url,
                 "What browsers see, e.g. https://sso.example.com [https://ORG-HOST:PORT]");
  app.add_option("--mtls-listen", config.mtls_listen, "Device challenge, HOST:PORT")
      ->capture_default_str();
  app.add_option("--mtls-host", config.mtls_host, "Host name of the device challenge")
      ->capture_default_str();
  app.add_option("--mtls-cert", config.mtls_cert,
                 "Certificate for --mtls-host and *.MTLS-HOST, not for --org-host, PEM")
      ->required();
  app.add_option("--mtls-key", config.mtls_key, "Its private key, PEM, readable by us only")
      ->required();
  app.add_option("--mtls-public-port", config.mtls_public_port, "Port that browsers see [as bound]")
      ->check(CLI::Range(0, 65535));
  app.add_option("--mtls-names", config.mtls_names,
                 "A host name for each challenge (fresh) or one for all (fixed)")
      ->check(CLI::IsMember({"fresh", "fixed"}))
      ->capture_default_str();
}

void AddTrust(CLI::App& app, Config& config) {
  app.add_option("--device-ca", config.device_ca, "Who signs device certificates, PEM")->required();
  app.add_option("--edge-ca-bundle", config.edge_ca_bundle,
                 "Who signs the servers that agents call, PEM; told to agents")
      ->required();
  app.add_option("--internal-cert", config.internal_cert, "Our identity as component, PEM")
      ->required();
  app.add_option("--internal-key", config.internal_key, "Its private key, PEM")->required();
  app.add_option("--deployment-ca", config.deployment_ca, "Who signs components, PEM")->required();
  app.add_option("--org-address", config.org_address, "Policy engine, internal, HOST:PORT")
      ->capture_default_str();
  app.add_option("--org-server-name", config.org_server_name, "Name in its certificate")
      ->capture_default_str();
  app.add_option("--ca-address", config.ca_address, "CA, internal, HOST:PORT")
      ->capture_default_str();
  app.add_option("--ca-server-name", config.ca_server_name, "Name in its certificate")
      ->capture_default_str();
}

void AddLimits(CLI::App& app, Config& config, Process& process) {
  app.add_option("--threads", config.threads, "Serving threads, 0: one per core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  app.add_option("--revocation-age-max-ms", config.revocation_age_max_ms,
                 "Trust nobody when revocation news are older, milliseconds")
      ->check(CLI::Range(1000, 600000))
      ->capture_default_str();
  app.add_option("--connections-max", config.connections_max, "Of each listener")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--connections-per-address-max", config.connections_per_address_max,
                 "Of each listener and client address, 0: no bound")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--ready-file", process.ready_file,
                 "Written once everything answers: addresses as JSON");
  app.add_option("--log-file", process.log_file, "Log there [standard error]");
  app.add_option("--log-level", process.log_level, "debug, info, warning, error, off")
      ->capture_default_str();
}

absl::Status Serve(const Config& config, const Process& process) {
  static devicetrust::SystemClock clock;
  static devicetrust::SystemRandom random;
  DT_ASSIGN_OR_RETURN(const auto gateway,
                      devicetrust::gateway::GatewayServer::Create(config, clock, random));
  while (!process.ready_file.empty() && !gateway->WaitUntilReady(std::chrono::seconds(1))) {
    devicetrust::Log(devicetrust::LogLevel::kInfo, "gateway.waiting",
                     {{"org_address", config.org_address}, {"ca_address", config.ca_address}});
  }
  DT_RETURN_IF_ERROR(devicetrust::WriteReadyFile(process.ready_file, gateway->addresses()));
  devicetrust::WaitForStopSignal();
  gateway->Stop();
  return absl::OkStatus();
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "dt-gateway: %s\n", std::string(status.message()).c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  devicetrust::PrepareProcess();
  Config config;
  Process process;
  CLI::App app(
      "The org's HTTPS front: sign-in, SAML, device challenge over mutual TLS.\n\n"
      "  dt-gateway --config gateway.toml\n"
      "  dt-gateway --config gateway.toml check-config\n"
      "  dt-gateway --config gateway.toml --org-listen 0.0.0.0:443 --mtls-listen 0.0.0.0:8444",
      "dt-gateway");
  app.set_version_flag("--version", DT_VERSION);
  app.set_config("--config", "", "TOML file with any of the options below")
      ->check(CLI::ExistingFile);
  app.allow_config_extras(CLI::config_extras_mode::error);
  AddHosts(app, config);
  AddTrust(app, config);
  AddLimits(app, config, process);
  const CLI::App* check =
      app.add_subcommand("check-config", "Check options and files, then exit")->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  devicetrust::SetLogComponent("dt-gateway");
  if (const absl::Status status = devicetrust::SetLogLevel(process.log_level); !status.ok()) {
    return Fail(status, 2);
  }
  if (!process.log_file.empty()) {
    if (const absl::Status status = devicetrust::SetLogFile(process.log_file); !status.ok()) {
      return Fail(status, 2);
    }
  }
  if (check->parsed()) {
    const devicetrust::SystemClock clock;
    const absl::Status status = devicetrust::gateway::CheckConfig(config, clock);
    if (!status.ok()) return Fail(status, 2);
    std::puts("configuration: ok");
    return 0;
  }
  if (const absl::Status status = Serve(config, process); !status.ok()) return Fail(status, 1);
  return 0;
}
