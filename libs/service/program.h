// The main function of a service: options, --config, check-config, print-config, start, ready
// file, drain.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/service/options.h"

namespace devicetrust::service {

// A service that has started.
struct Service {
  Addresses addresses;
  std::function<void()> stop;  // Drains.
  // Waits at most that long for `waits_for`; null: it is ready already.
  std::function<bool(std::chrono::milliseconds)> wait_until_ready;
  std::string waits_for;
  // What SIGHUP asks for; null: it ends the service like the other signals.
  std::function<void()> reload = {};
};

// What a program does with its configuration. Both are called after the options are parsed.
struct Steps {
  // Options and files, without the network. Messages name the option and the remedy.
  std::function<absl::Status()> check;
  std::function<absl::StatusOr<Service>(const Clock&, Random&)> start;
  // What `status` prints of the service that runs with this configuration; null: there is no such
  // command.
  std::function<absl::StatusOr<std::string>()> status = {};
};

struct ProgramInfo {
  std::string name;  // "dt-ca"
  std::string version;
  std::string about;
  // Command lines beside the usual ones, shown at the end of --help.
  std::vector<std::string> examples;
};

// Sets `options`, those of a service, from its file: for commands beside it, which know nothing of
// the options of its process. kInvalidArgument names `path`, as of --config, and what is missing.
absl::Status ReadServiceConfig(const std::string& path, Options options);

// Flags override the file of --config, the file overrides defaults; every option has both
// spellings (--org and `org = …`). Adds the options of the process itself to `options`, which are
// bound to variables that outlive the call.
//
// Serves until SIGINT, SIGTERM or, without a `reload`, SIGHUP, which also ends the wait for a
// service that is not ready yet. `check-config` checks and `print-config` prints what flags, file
// and defaults come to, without starting; `status` asks the service that runs. Returns the exit
// code: 0 clean stop, help or good configuration, 1 failure, 2 usage. Call it first in main, before
// any thread exists.
int RunProgram(const ProgramInfo& info, Options options, const Steps& steps, int argc,
               const char* const* argv);

// The main function of a component of the usual shape: Describe(config, options) and
// CheckConfig(config) beside its Config, Server::Create(config, clock, random), addresses(),
// Stop(), with a `status` AskStatus(config), when it waits for others WaitUntilReady(limit) and
// WaitsFor(config), and Reload() when it can read files again.
template <typename Server, typename Config>
int RunService(const ProgramInfo& info, int argc, const char* const* argv) {
  Config config;
  Steps steps;
  steps.check = [&config] { return CheckConfig(config); };
  if constexpr (requires { AskStatus(config); }) {
    steps.status = [&config] { return AskStatus(config); };
  }
  steps.start = [&config](const Clock& clock, Random& random) -> absl::StatusOr<Service> {
    DT_ASSIGN_OR_RETURN(const std::shared_ptr<Server> server,
                        Server::Create(config, clock, random));
    Service service{server->addresses(), [server] { server->Stop(); }, {}, {}};
    if constexpr (requires { server->Reload(); }) {
      service.reload = [server] { server->Reload(); };
    }
    if constexpr (requires { WaitsFor(config); }) {
      service.wait_until_ready = [server](auto limit) { return server->WaitUntilReady(limit); };
      service.waits_for = WaitsFor(config);
    }
    return service;
  };
  return RunProgram(info, OptionsOf(config), steps, argc, argv);
}

}  // namespace devicetrust::service
