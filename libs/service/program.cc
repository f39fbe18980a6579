#include "libs/service/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "libs/base/encoding.h"
#include "libs/base/log.h"

namespace devicetrust::service {
namespace {

constexpr int kUsage = 2;
constexpr std::int64_t kStoreBytesMax = std::int64_t{1} << 50;
constexpr std::chrono::seconds kWaitingPause{1};

std::string Joined(const Addresses& addresses) {
  std::vector<std::string> parts;
  for (const auto& [name, address] : addresses) parts.push_back(name + "=" + address);
  return fmt::format("{}", fmt::join(parts, " "));
}

// CLI11's reader passes over what is no option and a quotation mark without its end, and names
// no lines.
class StrictToml final : public CLI::ConfigTOML {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    lines_.clear();
    std::string text;
    for (std::string line; std::getline(input, line); text += line + '\n') {
      lines_.push_back(line);
      if (const char* wrong = Complaint(line); wrong != nullptr) {
        throw CLI::ConfigError(fmt::format("line {}: {}", lines_.size(), wrong));
      }
    }
    std::istringstream whole(text);
    return CLI::ConfigTOML::from_config(whole);
  }

  std::string Explain(std::string_view what) const {
    constexpr std::string_view kUnknown = "INI was not able to parse ";
    if (!what.starts_with(kUnknown)) return std::string(what);
    const std::string_view name = what.substr(kUnknown.size());
    std::size_t line = 0;
    while (line < lines_.size() && lines_[line].find(name) == std::string::npos) ++line;
    return fmt::format("line {}: there is no option {}; --help lists them", line + 1,
                       JsonQuote(name.substr(0, 64)));
  }

 private:
  static const char* Complaint(std::string_view line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == line.npos) return nullptr;
    // Comments and sections; the rest of a list that began further up.
    constexpr std::string_view kNoOption = "#;[]\"'";
    const bool other = kNoOption.find(line[begin]) != kNoOption.npos;
    if (!other && line.find('=') == line.npos) return "neither a comment nor option = value";
    const bool open = std::ranges::count(line, '"') % 2 != 0 &&
                      std::ranges::count(line.substr(0, line.find('#')), '"') % 2 != 0;
    return open ? "a quotation mark without its end" : nullptr;
  }

  mutable std::vector<std::string> lines_;
};

// The signal that came before the service was ready, else 0.
int WaitUntilReady(const Service& service) {
  if (!service.wait_until_ready) return 0;
  while (!service.wait_until_ready(kWaitingPause)) {
    Log(LogLevel::kInfo, "process.waiting", {{"for", service.waits_for}});
    if (const int signal = WaitForStopSignal(std::chrono::milliseconds(0)); signal != 0) {
      return signal;
    }
  }
  return 0;
}

}  // namespace

struct Program::State {
  State(const std::string& about, const std::string& program)
      : app(about, program), name(program) {}

  CLI::App app;
  const std::string name;
  std::shared_ptr<StrictToml> toml = std::make_shared<StrictToml>();
  CLI::App* check = nullptr;  // The app owns it.
  std::string heading = "Options";
  std::string ready_file;
  std::string log_file;
  std::string log_level = "info";

  CLI::Option* Finish(CLI::Option* option, const std::string& form, Need need) const {
    option->type_name(form)->group(heading);
    if (need == Need::kRequired) option->required();
    return option;
  }
};

Program::Program(std::string name, std::string version, const std::string& about,
                 std::vector<std::string> examples)
    : state_(std::make_unique<State>(about, name)) {
  CLI::App& app = state_->app;
  app.set_version_flag("--version", version);
  app.set_config("--config", "", "TOML file with any of the options below")
      ->type_name("FILE")
      ->check(CLI::Validator(CLI::ExistingFile).description(""));
  app.config_formatter(state_->toml);
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.get_formatter()->label("REQUIRED", "(required)");
  app.get_formatter()->column_width(40);
  state_->check =
      app.add_subcommand("check-config", "Check options and files, then exit; starts nothing")
          ->fallthrough();
  examples.insert(examples.begin(),
                  {fmt::format("{} --config {}.toml", name, name.substr(3)),
                   fmt::format("{0} --config {1}.toml check-config", name, name.substr(3))});
  app.footer(fmt::format("Examples:\n  {}", fmt::join(examples, "\n  ")));
}

Program::~Program() = default;

void Program::AddComponent(ComponentConfig& config, std::string_view role) {
  Heading("Identity");
  Text("--org", config.org, "NAME", "Id of the org");
  Text("--internal-cert", config.internal_cert, "FILE",
       fmt::format("Our certificate among components, urn:devicetrust:ORG:component:{}, PEM", role),
       Need::kRequired);
  Text("--internal-key", config.internal_key, "FILE", "Its private key, PEM, mode 0600",
       Need::kRequired);
  Text("--deployment-ca", config.deployment_ca, "FILE", "CA certificates of all components, PEM",
       Need::kRequired);
}

void Program::AddInternalListener(InternalListenerConfig& config) {
  Heading("Listeners");
  Text("--internal-listen", config.internal_listen, "HOST:PORT", "For components and admins");
}

void Program::AddEdgeListener(EdgeListenerConfig& config) {
  Heading("Listeners");
  Text("--edge-listen", config.edge_listen, "HOST:PORT", "For agents");
  Text("--edge-cert", config.edge_cert, "FILE", "Certificate chain of that listener, PEM",
       Need::kRequired);
  Text("--edge-key", config.edge_key, "FILE", "Its private key, PEM, mode 0600", Need::kRequired);
  Text("--edge-address", config.edge_address, "HOST:PORT",
       "What agents are told (default: as bound)");
}

void Program::AddStore(StoreConfig& config) {
  Heading("Store");
  Text("--database", config.database, "URL", "sqlite:PATH");
  Text("--kek-file", config.kek_file, "FILE",
       "Key-encryption key of the store's secrets, 64 hex digits, mode 0600", Need::kRequired);
}

void Program::AddStoreLimits(GrowingStoreConfig& config) {
  Heading("Store");
  Number("--log-backlog-max", config.log_backlog_max, 1, 100'000'000,
         "Events that may wait for the System Log; beyond it, enrollment says UNAVAILABLE");
  Number("--store-bytes-max", config.store_bytes_max, 0, kStoreBytesMax,
         "Size limit of each database, 0: none");
}

void Program::AddOrgPeer(OrgPeerConfig& config) {
  Heading("Peers");
  Text("--org-address", config.org_address, "HOST:PORT", "Internal listener of dt-policy");
  Text("--org-server-name", config.org_server_name, "NAME", "Name in its certificate");
}

void Program::AddCaPeer(CaPeerConfig& config) {
  Heading("Peers");
  Text("--ca-address", config.ca_address, "HOST:PORT", "Internal listener of dt-ca");
  Text("--ca-server-name", config.ca_server_name, "NAME", "Name in its certificate");
}

void Program::AddDirectory(DirectoryConfig& config, Need need) {
  Heading("Directory");
  Text("--ldap-url", config.ldap_url, "URL", "Active Directory, ldaps://HOST:PORT", need);
  Text("--ldap-ca", config.ldap_ca, "FILE", "CA of its certificate, PEM", need);
  Text("--ldap-bind-dn", config.ldap_bind_dn, "NAME", "Account that searches: UPN or DN", need);
  Text("--ldap-password-file", config.ldap_password_file, "FILE", "Its password, mode 0600", need);
}

void Program::Heading(std::string heading) { state_->heading = std::move(heading); }

void Program::Text(const std::string& flag, std::string& value, const std::string& form,
                   const std::string& help, Need need) {
  CLI::Option* const option = state_->Finish(state_->app.add_option(flag, value, help), form, need);
  if (!value.empty()) option->capture_default_str();
}

void Program::Texts(const std::string& flag, std::vector<std::string>& values,
                    const std::string& form, const std::string& help) {
  state_->Finish(state_->app.add_option(flag, values, help), form, Need::kOptional)
      ->capture_default_str();
}

void Program::Choice(const std::string& flag, std::string& value, std::vector<std::string> choices,
                     const std::string& help) {
  const std::string form = fmt::format("{}", fmt::join(choices, "|"));
  CLI::Validator one_of = CLI::IsMember(std::move(choices));
  one_of.description("");
  state_->Finish(state_->app.add_option(flag, value, help), form, Need::kOptional)
      ->check(one_of)
      ->capture_default_str();
}

void Program::OnOff(const std::string& flag, std::optional<bool>& value, const std::string& help) {
  CLI::Validator one_of = CLI::IsMember({"on", "off"});
  one_of.description("");
  const auto set = [&value](const std::string& given) { value = given == "on"; };
  state_
      ->Finish(state_->app.add_option_function<std::string>(flag, set, help), "on|off",
               Need::kOptional)
      ->check(one_of);
}

void Program::Switch(const std::string& on, const std::string& off, bool& value,
                     const std::string& help) {
  state_->app.add_flag(fmt::format("{},!{}", on, off), value, help)->group(state_->heading);
}

void Program::Integer(const std::string& flag, std::int64_t value, std::int64_t min,
                      std::int64_t max, const std::string& help,
                      std::function<void(std::int64_t)> set) {
  CLI::Range range(min, max);
  range.description("");
  state_
      ->Finish(state_->app.add_option_function<std::int64_t>(flag, std::move(set), help),
               fmt::format("{}..{}", min, max), Need::kOptional)
      ->check(range)
      ->default_str(fmt::format("{}", value));
}

absl::Status Program::Serve(const Steps& steps) {
  const SystemClock clock;
  SystemRandom random;
  DT_ASSIGN_OR_RETURN(const Service service, steps.start(clock, random));
  int signal = WaitUntilReady(service);
  if (signal == 0) {
    DT_RETURN_IF_ERROR(WriteReadyFile(state_->ready_file, service.addresses));
    Log(LogLevel::kInfo, "process.ready", {{"addresses", Joined(service.addresses)}});
    signal = WaitForStopSignal();
  }
  Log(LogLevel::kInfo, "process.stopping", {{"signal", signal}});
  service.stop();
  return absl::OkStatus();
}

int Program::Run(int argc, const char* const* argv, const Steps& steps) {
  PrepareProcess();
  Heading("Process");
  Text("--ready-file", state_->ready_file, "FILE",
       "Written once everything answers: bound addresses as JSON");
  Text("--log-file", state_->log_file, "FILE", "Log there instead of standard error");
  Choice("--log-level", state_->log_level, {"debug", "info", "warning", "error", "off"},
         "Least level that is logged");
  try {
    state_->app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    std::fprintf(stderr, "%s: --config %s: %s\n", state_->name.c_str(),
                 state_->app.get_config_ptr()->as<std::string>().c_str(),
                 state_->toml->Explain(error.what()).c_str());
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return state_->app.exit(error) == 0 ? EXIT_SUCCESS : kUsage;
  }
  SetLogComponent(state_->name);
  absl::Status status = SetLogLevel(state_->log_level);
  const bool check = state_->check->parsed();
  if (check) {
    status.Update(steps.check(SystemClock()));
  } else {
    if (status.ok() && !state_->log_file.empty()) status = SetLogFile(state_->log_file);
    if (status.ok()) status = Serve(steps);
  }
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", state_->name.c_str(), std::string(status.message()).c_str());
    return EXIT_FAILURE;
  }
  if (check) {
    std::printf("%s: the configuration is good; a running %s takes it up after a restart\n",
                state_->name.c_str(), state_->name.c_str());
  }
  return EXIT_SUCCESS;
}

}  // namespace devicetrust::service
