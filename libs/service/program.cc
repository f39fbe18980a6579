#include "libs/service/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <variant>

#include "libs/base/files.h"
#include "libs/base/log_sparsely.h"
#include "libs/base/printable.h"
#include "libs/http/server.h"
#include "libs/metrics/process.h"
#include "libs/service/command_line.h"
#include "libs/service/component.h"
#include "libs/service/metrics_listener.h"

namespace devicetrust::service {
namespace {

constexpr std::chrono::seconds kWaitingPause{1};
constexpr std::chrono::hours kSignalPause{1};

struct ProcessConfig {
  std::string ready_file;
  std::string metrics_listen;
  std::string log_file;
  std::string log_level = "info";
};

void Describe(ProcessConfig& config, Options& options) {
  options.Heading("Process");
  options.Text("ready-file", config.ready_file, "FILE",
               "Written once everything answers: bound addresses as JSON");
  options.Text("metrics-listen", config.metrics_listen, "HOST:PORT",
               "Prometheus' /metrics, plain HTTP: keep it on loopback or among administrators"
               " (default: none)");
  options.Text("log-file", config.log_file, "FILE", "Log there instead of standard error");
  options.Choice("log-level", config.log_level, {"debug", "info", "warning", "error", "off"},
                 "Lowest level that is logged");
}

std::string Joined(const Addresses& addresses) {
  std::vector<std::string> parts;
  for (const auto& [name, address] : addresses) parts.push_back(name + "=" + address);
  return fmt::format("{}", fmt::join(parts, " "));
}

// The command line. Values stay in the parser until the file is read, since flags override it.
class CommandLine {
 public:
  CommandLine(const ProgramInfo& info, const Options& options, const Steps& steps);

  std::optional<int> Parse(int argc, const char* const* argv) {
    return ParseCommandLine(app_, argc, argv);
  }

  const CLI::App& app() const { return app_; }
  const std::string& config_file() const { return config_file_; }
  bool check_config() const { return check_config_->parsed(); }
  bool print_config() const { return print_config_->parsed(); }
  bool status() const { return status_ != nullptr && status_->parsed(); }
  absl::Status SetFlags(const Options& options) const { return flags_->Set(options); }
  bool given(std::string_view option) const { return flags_->given(option); }

 private:
  CLI::App app_;
  CLI::App* check_config_ = nullptr;  // Owned by the app, as are the others.
  CLI::App* print_config_ = nullptr;
  CLI::App* status_ = nullptr;  // Null: there is no such command.
  std::string config_file_;
  std::optional<Flags> flags_;
};

CommandLine::CommandLine(const ProgramInfo& info, const Options& options, const Steps& steps)
    : app_(info.about, info.name) {
  SetHelpForm(app_);
  app_.set_version_flag("--version", info.version);
  app_.add_option("--config", config_file_, "TOML file with any of the options below")
      ->type_name("FILE");
  check_config_ =
      app_.add_subcommand("check-config", "Check options and files, then exit; starts nothing")
          ->fallthrough();
  print_config_ =
      app_.add_subcommand("print-config", "Print what flags and file come to, as TOML, then exit")
          ->fallthrough();
  if (steps.status) {
    status_ = app_.add_subcommand("status", "Ask the one that runs with this configuration")
                  ->fallthrough();
  }
  app_.require_subcommand(0, 1);
  flags_.emplace(app_, options);
  const std::string file = info.name.substr(3) + ".toml";
  std::vector<std::string> examples = {fmt::format("{} --config {}", info.name, file),
                                       fmt::format("{} --config {} check-config", info.name, file)};
  examples.insert(examples.end(), info.examples.begin(), info.examples.end());
  app_.footer(fmt::format(
      "Examples:\n  {}\nExit codes: 0 clean stop or good configuration, 1 failure, 2 bad usage.",
      fmt::join(examples, "\n  ")));
}

absl::Status ReadConfigFile(const std::string& path, Options& options) {
  if (path.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text = ReadFile(path);
  const absl::Status status = text.ok() ? options.ReadToml(*text) : text.status();
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      fmt::format("--config {}: {}", path, std::string(status.message())));
}

// Where in the file the option stands that `message` begins with, "iwa.toml:12: ": in
// "--directory corp.test: password-file: …" that of the group's item. Empty: not there.
std::string PlaceOf(std::string_view message, const CommandLine& command_line) {
  const std::string& path = command_line.config_file();
  if (!message.starts_with("--") || path.empty()) return {};
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return {};
  const absl::StatusOr<TomlTable> table = ParseToml(*text);
  if (!table.ok()) return {};
  const auto word = [](std::string_view& rest) {
    const std::size_t end = std::min(rest.find_first_of(": "), rest.size());
    const std::string_view first = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.find_first_not_of(": ", end), rest.size()));
    return first;
  };
  const auto find = [](const TomlTable& in, std::string_view name) {
    return std::ranges::find(in.entries, name, &TomlEntry::name);
  };
  std::string_view rest = message.substr(2);
  const std::string_view name = word(rest);
  const auto entry = find(*table, name);
  if (entry == table->entries.end() || command_line.given(name)) return {};
  int line = entry->line;
  if (const auto* items = std::get_if<std::vector<TomlTable>>(&entry->value)) {
    const TomlValue named = std::string(word(rest));
    const std::string_view inner = word(rest);
    for (const TomlTable& item : *items) {
      if (std::ranges::find(item.entries, named, &TomlEntry::value) == item.entries.end()) continue;
      line = item.entries.front().line;
      if (const auto at = find(item, inner); at != item.entries.end()) line = at->line;
    }
  }
  return line == 0 ? std::string() : fmt::format("{}:{}: ", path, line);
}

// Each line that names an option of the file, with its place in front.
std::string WithPlaces(std::string_view message, const CommandLine& command_line) {
  std::string lines;
  while (true) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    const std::string_view line = message.substr(0, end);
    lines += Printable(PlaceOf(line, command_line));
    lines += line;
    if (end == message.size()) return lines;
    lines += '\n';
    message.remove_prefix(end + 1);
  }
}

// A signal that ends the service, after at most `timeout`; else 0. SIGHUP is one only for a service
// that has nothing to read again.
int WaitForEnd(const Service& service, std::chrono::milliseconds timeout) {
  const int signal = WaitForStopSignal(timeout);
  if (signal != SIGHUP || !service.reload) return signal;
  service.reload();
  return 0;
}

// The signal that came before the service was ready, else 0.
int WaitUntilReady(const Service& service) {
  if (!service.wait_until_ready) return 0;
  while (!service.wait_until_ready(kWaitingPause)) {
    Log(LogLevel::kInfo, "process.waiting", {{"for", service.waits_for}});
    if (const int signal = WaitForEnd(service, std::chrono::milliseconds(0)); signal != 0) {
      return signal;
    }
  }
  return 0;
}

// Empty without --metrics-listen.
absl::StatusOr<std::unique_ptr<http::Server>> StartMetrics(const ProgramInfo& info,
                                                           const ProcessConfig& process,
                                                           const Clock& clock) {
  metrics::AddProcessMetrics(info.name, info.version);
  if (process.metrics_listen.empty()) return nullptr;
  return StartMetricsListener(process.metrics_listen, clock);
}

absl::Status Serve(const ProgramInfo& info, const Steps& steps, const ProcessConfig& process) {
  const SystemClock clock;
  SystemRandom random;
  // Before the service, whose start it shows.
  DT_ASSIGN_OR_RETURN(const auto metrics, StartMetrics(info, process, clock));
  DT_ASSIGN_OR_RETURN(Service service, steps.start(clock, random));
  if (metrics) service.addresses.emplace_back("metrics", http::AddressOf(metrics->endpoint(0)));
  int signal = WaitUntilReady(service);
  if (signal == 0) {
    DT_RETURN_IF_ERROR(WriteReadyFile(process.ready_file, service.addresses));
    Log(LogLevel::kInfo, "process.ready", {{"addresses", Joined(service.addresses)}});
    while (signal == 0) signal = WaitForEnd(service, kSignalPause);
  }
  Log(LogLevel::kInfo, "process.stopping", {{"signal", signal}});
  service.stop();
  LogSums();
  return absl::OkStatus();
}

// The files that this process will write besides its store.
absl::Status CheckProcess(const ProcessConfig& process) {
  DT_RETURN_IF_ERROR(CheckCanWrite("--ready-file", process.ready_file));
  DT_RETURN_IF_ERROR(CheckCanWrite("--log-file", process.log_file));
  if (process.metrics_listen.empty()) return absl::OkStatus();
  return http::ParseEndpoint(process.metrics_listen, "--metrics-listen").status();
}

}  // namespace

absl::Status ReadServiceConfig(const std::string& path, Options options) {
  ProcessConfig process;
  Describe(process, options);
  DT_RETURN_IF_ERROR(ReadConfigFile(path, options));
  return options.CheckRequired();
}

int RunProgram(const ProgramInfo& info, Options options, const Steps& steps, int argc,
               const char* const* argv) {
  PrepareProcess();
  ProcessConfig process;
  Describe(process, options);
  CommandLine command_line(info, options, steps);
  if (const std::optional<int> code = command_line.Parse(argc, argv)) return *code;
  absl::Status status = ReadConfigFile(command_line.config_file(), options);
  if (status.ok()) status = command_line.SetFlags(options);
  if (status.ok()) status = options.CheckRequired();
  if (!status.ok()) return RefuseCommandLine(command_line.app(), status);

  SetLogComponent(info.name);
  status = SetLogLevel(process.log_level);
  if (command_line.status()) {
    const absl::StatusOr<std::string> text = steps.status();
    status.Update(text.status());
    if (text.ok()) std::fputs(text->c_str(), stdout);
  } else if (command_line.print_config()) {
    std::fputs(options.ToToml().c_str(), stdout);
  } else if (command_line.check_config()) {
    status.Update(steps.check());
    if (status.ok()) status = CheckProcess(process);
  } else {
    if (status.ok() && !process.log_file.empty()) status = SetLogFile(process.log_file);
    if (status.ok()) status = Serve(info, steps, process);
  }
  if (!status.ok()) {
    const std::string_view message(status.message().data(), status.message().size());
    std::fprintf(stderr, "%s: %s\n", info.name.c_str(),
                 PrintableLines(WithPlaces(message, command_line)).c_str());
    return EXIT_FAILURE;
  }
  if (command_line.check_config()) {
    std::printf("%s: the configuration is good; a running %s takes it up after a restart\n",
                info.name.c_str(), info.name.c_str());
  }
  return EXIT_SUCCESS;
}

}  // namespace devicetrust::service
