#include "simulator/deployment/component_launcher.h"

#include <signal.h>

#include <utility>

#include "ca-service/ca_server.h"
#include "iwa/iwa_server.h"
#include "policy-engine/policy_server.h"
#include "simulator/deployment/config_file.h"
#include "simulator/gateway/gateway_server.h"

namespace devicetrust::simulator {
namespace {

constexpr std::chrono::seconds kReadyWithin{20};

std::string Find(const Addresses& addresses, const std::string& listener) {
  for (const auto& [name, address] : addresses) {
    if (name == listener) return address;
  }
  return "";
}

template <typename Server>
class Embedded final : public RunningComponent {
 public:
  explicit Embedded(std::unique_ptr<Server> server) : server_(std::move(server)) {}
  ~Embedded() override { server_->Stop(); }

  std::string Address(const std::string& listener) const override {
    return Find(server_->addresses(), listener);
  }
  absl::Status Check() const override { return absl::OkStatus(); }  // Or we are gone, too.

 private:
  const std::unique_ptr<Server> server_;
};

class Program final : public RunningComponent {
 public:
  explicit Program(std::unique_ptr<ComponentProcess> process) : process_(std::move(process)) {}
  ~Program() override { process_->child().Stop(); }

  void BeginStop() override { process_->child().Signal(SIGTERM); }
  std::string Address(const std::string& listener) const override {
    return process_->Address(listener);
  }
  absl::Status Check() const override { return process_->Check(); }
  bool Signal(int number) override {
    process_->child().Signal(number);
    return true;
  }

 private:
  const std::unique_ptr<ComponentProcess> process_;
};

template <typename Config>
const Config& InThisProcess(const Config& config) {
  return config;
}
// The CA and the devices have keys here too, in tokens at times.
gateway::Config InThisProcess(gateway::Config config) {
  if (config.tls == "quick") config.tls = "shared";
  return config;
}

}  // namespace

template <typename Server, typename Config>
absl::StatusOr<std::unique_ptr<RunningComponent>> ComponentLauncher::StartAs(
    const std::string& name, const Config& config) const {
  DT_ASSIGN_OR_RETURN(const std::string file, WriteConfigFile(config, config_.run_dir, name));
  if (config_.processes) return StartProgram(name, file);
  DT_ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                      Server::Create(InThisProcess(config), *config_.clock, *config_.random));
  return std::unique_ptr<RunningComponent>(new Embedded<Server>(std::move(server)));
}

absl::StatusOr<std::unique_ptr<RunningComponent>> ComponentLauncher::StartProgram(
    const std::string& name, const std::string& config_file) const {
  ComponentProcessConfig config{
      name, config_.bin_dir + "/" + name, {"--config", config_file}, config_.run_dir, {}};
  DT_ASSIGN_OR_RETURN(std::unique_ptr<ComponentProcess> process,
                      ComponentProcess::Start(config, kReadyWithin));
  return std::unique_ptr<RunningComponent>(new Program(std::move(process)));
}

absl::StatusOr<std::unique_ptr<RunningComponent>> ComponentLauncher::Start(
    const policy::Config& config) const {
  return StartAs<policy::PolicyServer>("dt-policy", config);
}

absl::StatusOr<std::unique_ptr<RunningComponent>> ComponentLauncher::Start(
    const ca::Config& config) const {
  return StartAs<ca::CaServer>("dt-ca", config);
}

absl::StatusOr<std::unique_ptr<RunningComponent>> ComponentLauncher::Start(
    const iwa::Config& config) const {
  return StartAs<iwa::IwaServer>("dt-iwa", config);
}

absl::StatusOr<std::unique_ptr<RunningComponent>> ComponentLauncher::Start(
    const gateway::Config& config) const {
  return StartAs<gateway::GatewayServer>("dt-gateway", config);
}

}  // namespace devicetrust::simulator
