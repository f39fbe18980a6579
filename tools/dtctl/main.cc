#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "libs/admin/endpoints.h"
#include "libs/admin/text.h"
#include "libs/base/log.h"
#include "libs/base/printable.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

struct Connection {
  std::string endpoints_file;
  bool endpoints_by_flag = false;  // Else an environment variable or a file names it.
  admin::EndpointOptions options;
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

void AddConnection(CLI::App& app, Connection& connection) {
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
  admin::EndpointOptions& options = connection.options;
  add("--endpoints", connection.endpoints_file, "endpoints.json of a running `dt-sim up`")
      ->envname("DTCTL_ENDPOINTS");
  add("--org-address", options.org_address, "host:port of the org's internal listener (dt-policy)");
  add("--ca-address", options.ca_address, "host:port of the CA's internal listener (dt-ca)");
  add("--deployment-ca", options.deployment_ca,
      "PEM file: the CA that signs the services' certificates");
  add("--cert", options.certificate, "PEM file: your admin certificate");
  add("--key", options.key, "PEM file: its key, readable by you alone");
  add("--org-server-name", options.org_server_name, "Name in the org's certificate")
      ->capture_default_str();
  add("--ca-server-name", options.ca_server_name, "Name in the CA's certificate")
      ->capture_default_str();
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
  return kFailed;
}

bool HasFlag(int argc, char** argv, std::string_view flag) {
  return std::any_of(argv, argv + argc, [flag](std::string_view word) {
    return word.starts_with(flag) && (word.size() == flag.size() || word[flag.size()] == '=');
  });
}

// An endpoints.json that stands in the environment gives way to a deployment named by options.
bool UsesEndpointsFile(const Connection& connection) {
  const admin::EndpointOptions& options = connection.options;
  const bool named = !options.org_address.empty() || !options.ca_address.empty() ||
                     !options.deployment_ca.empty() || !options.certificate.empty() ||
                     !options.key.empty();
  return !connection.endpoints_file.empty() && (connection.endpoints_by_flag || !named);
}

int Run(const Connection& connection, const Action& action) {
  const auto endpoints = UsesEndpointsFile(connection)
                             ? admin::ReadEndpointsFile(connection.endpoints_file)
                             : admin::LoadEndpoints(connection.options);
  if (!endpoints.ok()) {
    Failed(endpoints.status());
    return kUsageError;
  }
  admin::AdminClient client(*endpoints);
  return action(client);
}

int Main(int argc, char** argv) {
  // The answers and errors are for people; what libraries log would stand between them.
  static_cast<void>(SetLogLevel("off"));
  Connection connection;
  Action action;
  CLI::App app("Administers a Device Trust deployment.", "dtctl");
  app.set_version_flag("--version", DT_VERSION);
  app.require_subcommand(1);
  const auto help = std::make_shared<ExamplesFirst>();
  help->column_width(34);
  app.formatter(help);
  AddConnection(app, connection);
  AddSettingsVerbs(app, action);
  AddAppVerbs(app, action);
  AddUserVerbs(app, action);
  AddCertificateVerbs(app, action);
  AddLogVerbs(app, action);
  app.footer(
      "Examples:\n"
      "  dtctl --endpoints run/endpoints.json settings\n"
      "  dtctl --config admin.toml app add mail.xml --label Mail\n"
      "  DTCTL_CONFIG=admin.toml dtctl explain 7F3K-9QXD\n"
      "Exit codes: 0 done, 1 refused or failed, 2 bad usage. `dtctl VERB --help` shows each verb.");
  if (argc == 1) {
    std::cout << app.help();
    return Flushed(kUsageError);
  }
  connection.endpoints_by_flag = HasFlag(argc, argv, "--endpoints");
  for (const char* const flag :
       {"--org-address", "--ca-address", "--deployment-ca", "--cert", "--key"}) {
    if (connection.endpoints_by_flag && HasFlag(argc, argv, flag)) {
      std::cerr << fmt::format("dtctl: --endpoints and {} name a deployment each; give one\n",
                               flag);
      return kUsageError;
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (const std::string word = UnknownVerb(app, error); !word.empty()) {
      std::cerr << fmt::format("dtctl: there is no verb {}; --help lists them\n", Printable(word));
      return kUsageError;
    }
    return Flushed(app.exit(error) == 0 ? kDone : kUsageError);
  }
  return Flushed(Run(connection, action));
}

}  // namespace
}  // namespace devicetrust::ctl

int main(int argc, char** argv) { return devicetrust::ctl::Main(argc, argv); }
