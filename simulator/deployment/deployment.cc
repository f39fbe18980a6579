#include "simulator/deployment/deployment.h"

#include <fmt/format.h>
#include <signal.h>

#include <utility>

#include "ca-service/ca_server.h"
#include "iwa/iwa_server.h"
#include "policy-engine/policy_server.h"
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
class Embedded final : public Component {
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

class Program final : public Component {
 public:
  explicit Program(std::unique_ptr<ComponentProcess> process) : process_(std::move(process)) {}
  ~Program() override { process_->child().Stop(); }

  void BeginStop() override { process_->child().Signal(SIGTERM); }
  std::string Address(const std::string& listener) const override {
    return process_->Address(listener);
  }
  absl::Status Check() const override { return process_->Check(); }

 private:
  const std::unique_ptr<ComponentProcess> process_;
};

using Flags = std::vector<std::string>;

// "--name value", left out when the value is empty: then the program's default holds.
void Add(Flags& flags, const std::string& name, const std::string& value) {
  if (!value.empty()) flags.insert(flags.end(), {"--" + name, value});
}

template <typename Config>
void AddInternal(Flags& flags, const Config& config) {
  Add(flags, "org", config.org);
  Add(flags, "internal-cert", config.internal_cert);
  Add(flags, "internal-key", config.internal_key);
  Add(flags, "deployment-ca", config.deployment_ca);
}

template <typename Config>
void AddEdge(Flags& flags, const Config& config) {
  Add(flags, "edge-listen", config.edge_listen);
  Add(flags, "edge-cert", config.edge_cert);
  Add(flags, "edge-key", config.edge_key);
  Add(flags, "internal-listen", config.internal_listen);
  Add(flags, "org-address", config.org_address);
  Add(flags, "database", config.database);
  Add(flags, "kek-file", config.kek_file);
}

template <typename Config>
void AddLdap(Flags& flags, const Config& config) {
  Add(flags, "ldap-url", config.ldap_url);
  Add(flags, "ldap-ca", config.ldap_ca);
  Add(flags, "ldap-bind-dn", config.ldap_bind_dn);
  Add(flags, "ldap-password-file", config.ldap_password_file);
}

}  // namespace

template <typename Server, typename Config>
absl::StatusOr<std::unique_ptr<Component>> Deployment::StartHere(const Config& config) const {
  DT_ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                      Server::Create(config, *config_.clock, *config_.random));
  return std::unique_ptr<Component>(new Embedded<Server>(std::move(server)));
}

absl::StatusOr<std::unique_ptr<Component>> Deployment::StartProgram(const std::string& name,
                                                                    Flags flags) const {
  ComponentConfig config{name, config_.bin_dir + "/" + name, std::move(flags), config_.run_dir, {}};
  DT_ASSIGN_OR_RETURN(std::unique_ptr<ComponentProcess> process,
                      ComponentProcess::Start(config, kReadyWithin));
  return std::unique_ptr<Component>(new Program(std::move(process)));
}

absl::StatusOr<std::unique_ptr<Component>> Deployment::Start(const policy::Config& config) const {
  if (!config_.processes) return StartHere<policy::PolicyServer>(config);
  Flags flags;
  AddInternal(flags, config);
  AddLdap(flags, config);
  Add(flags, "database", config.database);
  Add(flags, "log-database", config.log_database);
  Add(flags, "kek-file", config.kek_file);
  Add(flags, "internal-listen", config.internal_listen);
  Add(flags, "ca-address", config.ca_address);
  Add(flags, "domain", config.domain);
  return StartProgram("dt-policy", std::move(flags));
}

absl::StatusOr<std::unique_ptr<Component>> Deployment::Start(const ca::Config& config) const {
  if (!config_.processes) return StartHere<ca::CaServer>(config);
  Flags flags;
  AddInternal(flags, config);
  AddEdge(flags, config);
  Add(flags, "http-listen", config.http_listen);
  Add(flags, "public-http-url", config.public_http_url);
  return StartProgram("dt-ca", std::move(flags));
}

absl::StatusOr<std::unique_ptr<Component>> Deployment::Start(const iwa::Config& config) const {
  if (!config_.processes) return StartHere<iwa::IwaServer>(config);
  Flags flags;
  AddInternal(flags, config);
  AddEdge(flags, config);
  AddLdap(flags, config);
  Add(flags, "name", config.name);
  Add(flags, "spn", config.spn);
  Add(flags, "keytab", config.keytab);
  Add(flags, "krb5-config", config.krb5_config);
  Add(flags, "replay-cache", config.replay_cache);
  Add(flags, "ldap-domain", config.ldap_domain);
  for (const std::string& realm : config.realms) Add(flags, "realm", realm);
  return StartProgram("dt-iwa", std::move(flags));
}

absl::StatusOr<std::unique_ptr<Component>> Deployment::Start(const gateway::Config& config) const {
  if (!config_.processes) return StartHere<gateway::GatewayServer>(config);
  Flags flags;
  AddInternal(flags, config);
  Add(flags, "org-listen", config.org_listen);
  Add(flags, "org-host", config.org_host);
  Add(flags, "org-cert", config.org_cert);
  Add(flags, "org-key", config.org_key);
  Add(flags, "mtls-listen", config.mtls_listen);
  Add(flags, "mtls-host", config.mtls_host);
  Add(flags, "mtls-cert", config.mtls_cert);
  Add(flags, "mtls-key", config.mtls_key);
  Add(flags, "device-ca", config.device_ca);
  Add(flags, "edge-ca-bundle", config.edge_ca_bundle);
  Add(flags, "org-address", config.org_address);
  Add(flags, "ca-address", config.ca_address);
  Add(flags, "threads", fmt::format("{}", config.threads));
  return StartProgram("dt-gateway", std::move(flags));
}

}  // namespace devicetrust::simulator
