#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "libs/admin/endpoints.h"
#include "libs/admin/environments.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

// Which deployment; each option is a flag and a name in the file of --config.
struct Connection {
  std::string endpoints_file;
  std::string run_dir;
  admin::EndpointOptions options;
};

void Describe(Connection& connection, service::Options& options) {
  options.Heading("Which environment of dt-sim up");
  options.Text("run-dir", connection.run_dir, "FOLDER",
               "Its run folder (default: DT_ENDPOINTS, else the only one that runs)");
  options.Text("endpoints", connection.endpoints_file, "FILE", "Its endpoints.json");
  options.Heading("Which deployment");
  admin::EndpointOptions& to = connection.options;
  options.Text("org-address", to.org_address, "HOST:PORT",
               "Internal listener of the org (dt-policy)");
  options.Text("ca-address", to.ca_address, "HOST:PORT", "Internal listener of the CA (dt-ca)");
  options.Text("deployment-ca", to.deployment_ca, "FILE",
               "CA that signs the services' certificates, PEM");
  options.Text("cert", to.certificate, "FILE", "Your admin certificate, PEM");
  options.Text("key", to.key, "FILE", "Its key, PEM, readable by you alone");
  options.Text("org-server-name", to.org_server_name, "NAME", "Name in the org's certificate");
  options.Text("ca-server-name", to.ca_server_name, "NAME", "Name in the CA's certificate");
}

// Of --config, else of DTCTL_CONFIG.
absl::Status ReadConfig(std::string path, service::Options& options) {
  const char* const named = std::getenv("DTCTL_CONFIG");
  std::string name = "--config";
  if (path.empty() && named != nullptr && *named != '\0') {
    path = named;
    name = "DTCTL_CONFIG";
  }
  if (path.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(path);
  const absl::Status status = text.ok() ? options.ReadToml(*text) : text.status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      fmt::format("{} {}: {}", name, path, std::string(status.message())));
}

// A script must not take half an answer for the whole.
int Flushed(int code) {
  if (std::cout.flush().good()) return code;
  std::cerr << "dtctl: standard output can't be written to.\n";
  return kFailed;
}

constexpr std::string_view kDeploymentFlags[] = {"org-address", "ca-address", "deployment-ca",
                                                 "cert", "key"};

// A deployment and an environment, or two environments, on one command line.
absl::Status CheckOneIsNamed(const service::Flags& flags) {
  const char* const environment = flags.given("endpoints") ? "--endpoints" : "--run-dir";
  if (!flags.given("endpoints") && !flags.given("run-dir")) return absl::OkStatus();
  const auto both = [environment](std::string_view other) {
    return absl::InvalidArgumentError(
        fmt::format("{} and --{} name a deployment each: give one", environment, other));
  };
  if (flags.given("endpoints") && flags.given("run-dir")) return both("run-dir");
  for (const std::string_view flag : kDeploymentFlags) {
    if (flags.given(flag)) return both(flag);
  }
  return absl::OkStatus();
}

bool NamesDeployment(const admin::EndpointOptions& options) {
  return !options.org_address.empty() || !options.ca_address.empty() ||
         !options.deployment_ca.empty() || !options.certificate.empty() || !options.key.empty();
}

// Flags go before the file, which goes before DT_ENDPOINTS and what happens to run.
absl::StatusOr<admin::Endpoints> FindEndpoints(const Connection& connection,
                                               const service::Flags& flags) {
  const bool by_flag = flags.given("endpoints") || flags.given("run-dir");
  if (!by_flag && NamesDeployment(connection.options)) {
    return admin::LoadEndpoints(connection.options);
  }
  std::string file = flags.given("run-dir") ? "" : connection.endpoints_file;
  if (file.empty()) {
    DT_ASSIGN_OR_RETURN(file, admin::FindEndpointsFile(connection.run_dir));
  }
  if (!file.empty()) return admin::ReadEndpointsFile(file);
  return absl::InvalidArgumentError(
      "no deployment is named and no environment runs. Give --org-address, --ca-address,\n"
      "       --deployment-ca, --cert and --key, or a file with them by DTCTL_CONFIG; or start\n"
      "       dt-sim up");
}

int Main(int argc, char** argv) {
  // The answers and errors are for people; what libraries log would stand between them.
  static_cast<void>(SetLogLevel("off"));
  Connection connection;
  Action action;
  LocalAction local;
  std::string config_file;
  CLI::App app("Administers a Device Trust deployment.", "dtctl");
  service::SetHelpForm(app);
  app.set_version_flag("--version", DT_VERSION);
  app.require_subcommand(1);
  app.add_option("--config", config_file,
                 "TOML file with any of the options below (default: DTCTL_CONFIG)")
      ->type_name("FILE");
  service::Options options = service::OptionsOf(connection);
  const service::Flags flags(app, options);
  AddSessionVerbs(app, action);
  AddSettingsVerbs(app, action);
  AddAppVerbs(app, action);
  AddHistoryVerbs(app, action);
  AddPolicyVerbs(app, action, local);
  AddAnalysisVerbs(app, action);
  AddUserVerbs(app, action);
  AddAdminVerbs(app, action);
  AddCertificateVerbs(app, action);
  AddIssuerVerbs(app, action);
  AddDoctorVerb(app, action);
  AddLogVerbs(app, action, local);
  AddHookVerbs(app, action);
  AddSamlVerbs(app, action);
  service::RefuseEmptyTexts(app, {"--learn-more-url", "--default-relay-state", "display-name"});
  app.footer(
      "Examples:\n"
      "  dtctl settings                              of the dt-sim up that runs\n"
      "  dtctl --run-dir run log --follow            of one of several\n"
      "  dtctl --config admin.toml app add mail.xml --label Mail\n"
      "  DTCTL_CONFIG=admin.toml dtctl explain 7F3K-9QXD\n"
      "Exit codes: 0 done, 1 refused or failed, 2 bad usage. `dtctl VERB --help` shows each verb.");
  if (argc == 1) {
    std::cout << app.help();
    return Flushed(kUsageError);
  }
  if (const auto code = service::ParseCommandLine(app, argc, argv)) return Flushed(*code);
  absl::Status status = CheckOneIsNamed(flags);
  if (status.ok()) status = ReadConfig(config_file, options);
  if (status.ok()) status = flags.Set(options);
  if (!status.ok()) return service::RefuseCommandLine(app, status);
  if (local) return Flushed(local());
  const auto endpoints = FindEndpoints(connection, flags);
  if (!endpoints.ok()) return service::RefuseCommandLine(app, endpoints.status());
  admin::AdminClient client(*endpoints);
  return Flushed(action(client));
}

}  // namespace
}  // namespace devicetrust::ctl

int main(int argc, char** argv) { return devicetrust::ctl::Main(argc, argv); }
