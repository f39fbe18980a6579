// Starts the shipped components, each in this process over real loopback sockets, or as the
// program of its own that `--processes` asks for. Both ways it runs with the same options: they are
// written to RUN_DIR/NAME.toml ("dt-ca.toml"), which is all that a program gets.
#pragma once

#include <memory>
#include <string>

#include "ca-service/config.h"
#include "iwa/config.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "policy-engine/config.h"
#include "simulator/deployment/component_process.h"
#include "simulator/gateway/config.h"

namespace devicetrust::simulator {

// One running component, wherever it runs.
class RunningComponent {
 public:
  virtual ~RunningComponent() = default;  // Stops it, and waits until it is gone.
  // Asks it to stop, so that several can do so at the same time. One that runs here has nothing
  // to do yet: its destructor stops it.
  virtual void BeginStop() {}
  // host:port of a listener by the component's own name for it; empty when there is none.
  virtual std::string Address(const std::string& listener) const = 0;
  // kUnavailable, with the last lines of its log, when it has ended by itself.
  virtual absl::Status Check() const = 0;
  // Sends it a signal; false: it runs here.
  virtual bool Signal(int /*number*/) { return false; }
};

struct ComponentLauncherConfig {
  bool processes = false;
  std::string bin_dir;  // Where dt-ca and the others lie; with `processes`.
  std::string run_dir;  // For their configurations, logs and ready files.
  const Clock* clock = nullptr;
  Random* random = nullptr;
};

// Each serves once it is returned. Errors: those of WriteConfigFile(), and of the component's
// Create() or of ComponentProcess::Start().
class ComponentLauncher {
 public:
  explicit ComponentLauncher(ComponentLauncherConfig config) : config_(std::move(config)) {}

  absl::StatusOr<std::unique_ptr<RunningComponent>> Start(const policy::Config& config) const;
  absl::StatusOr<std::unique_ptr<RunningComponent>> Start(const ca::Config& config) const;
  absl::StatusOr<std::unique_ptr<RunningComponent>> Start(const iwa::Config& config) const;
  absl::StatusOr<std::unique_ptr<RunningComponent>> Start(const gateway::Config& config) const;

 private:
  template <typename Server, typename Config>
  absl::StatusOr<std::unique_ptr<RunningComponent>> StartAs(const std::string& name,
                                                            const Config& config) const;
  absl::StatusOr<std::unique_ptr<RunningComponent>> StartProgram(
      const std::string& name, const std::string& config_file) const;

  const ComponentLauncherConfig config_;
};

}  // namespace devicetrust::simulator
