// The main function of a service: options, --config, check-config, start, ready file, drain.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/clock.h"
#include "libs/base/process.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/service/config.h"
#include "libs/service/options.h"

namespace devicetrust::service {

// A service that has started.
struct Service {
  Addresses addresses;
  std::function<void()> stop;  // Drains.
  // Waits at most that long for `waits_for`; null: it is ready already.
  std::function<bool(std::chrono::milliseconds)> wait_until_ready;
  std::string waits_for;
};

// What a program does with its configuration. Both are called after the options are parsed.
struct Steps {
  // Options and files, without the network. Messages name the option and the remedy.
  std::function<absl::Status(const Clock&)> check;
  std::function<absl::StatusOr<Service>(const Clock&, Random&)> start;
};

// The steps of a component of the usual shape: CheckConfig(config) beside its Config,
// Server::Create(config, clock, random), addresses(), Stop(). `config` must outlive them.
template <typename Server, typename Config>
Steps StepsOf(const Config& config) {
  return {[&config](const Clock&) { return CheckConfig(config); },
          [&config](const Clock& clock, Random& random) -> absl::StatusOr<Service> {
            DT_ASSIGN_OR_RETURN(const std::shared_ptr<Server> server,
                                Server::Create(config, clock, random));
            return Service{server->addresses(), [server] { server->Stop(); }, {}, {}};
          }};
}

// Options write into the variables they were declared with, which hold the defaults and must
// outlive the program. Flags override the file of --config, the file overrides defaults;
// every option has both spellings (--org and `org = ...`).
class Program {
 public:
  // `examples`: command lines, one a line, shown at the end of --help.
  Program(std::string name, std::string version, const std::string& about,
          std::vector<std::string> examples = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // The common parts. `role` is the component's name in its certificate.
  void AddComponent(ComponentConfig& config, std::string_view role);
  void AddInternalListener(InternalListenerConfig& config);
  void AddEdgeListener(EdgeListenerConfig& config);
  void AddStore(StoreConfig& config);
  void AddStoreLimits(GrowingStoreConfig& config);
  void AddOrgPeer(OrgPeerConfig& config);
  void AddCaPeer(CaPeerConfig& config);
  void AddDirectory(DirectoryConfig& config, Need need);

  // A service's own options, under the heading given last. `form` stands for the value in
  // --help: "FILE", "HOST:PORT".
  void Heading(std::string heading);
  void Text(const std::string& flag, std::string& value, const std::string& form,
            const std::string& help, Need need = Need::kOptional);
  void Texts(const std::string& flag, std::vector<std::string>& values, const std::string& form,
             const std::string& help);
  void Choice(const std::string& flag, std::string& value, std::vector<std::string> choices,
              const std::string& help);
  void OnOff(const std::string& flag, std::optional<bool>& value, const std::string& help);
  void Switch(const std::string& on, const std::string& off, bool& value, const std::string& help);
  template <std::integral T>
  void Number(const std::string& flag, T& value, std::int64_t min, std::int64_t max,
              const std::string& help) {
    DT_CHECK(std::in_range<T>(min) && std::in_range<T>(max));
    Integer(flag, static_cast<std::int64_t>(value), min, max, help,
            [&value](std::int64_t given) { value = static_cast<T>(given); });
  }

  // Serves until SIGINT or SIGTERM, which also ends the wait for a service that is not ready
  // yet. Returns the exit code: 0 clean stop, help or good configuration, 1 failure, 2 usage.
  // Call it first in main, before any thread exists.
  int Run(int argc, const char* const* argv, const Steps& steps);

 private:
  struct State;

  void Integer(const std::string& flag, std::int64_t value, std::int64_t min, std::int64_t max,
               const std::string& help, std::function<void(std::int64_t)> set);
  absl::Status Serve(const Steps& steps);

  const std::unique_ptr<State> state_;
};

}  // namespace devicetrust::service
