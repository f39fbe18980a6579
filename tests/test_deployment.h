// The shipped services as processes of their own, on loopback, in a temporary folder: for
// tests that kill and restart them. Ports stay the same over a restart.
#pragma once

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ca-service/config.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "libs/token/key_set.h"
#include "policy-engine/config.h"
#include "simulator/deployment/component_process.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/ldap/server.h"
#include "simulator/gateway/config.h"

namespace devicetrust::tests {

// People and computers live in a table with an LDAP server over it; there is no KDC and no
// IWA: the test signs user tokens itself, with a key that it registers as IWA "iwa-1".
class TestDeployment {
 public:
  static constexpr const char* kOrg = "acme";
  static constexpr int kPeople = 8;

  // With that many people and as many computers, at most 1,000. Programs come from the folder
  // that the environment variable DT_BIN names.
  static absl::StatusOr<std::unique_ptr<TestDeployment>> Create(int people = kPeople);
  // The same with dt-policy and dt-ca running, and the org set up.
  static absl::StatusOr<std::unique_ptr<TestDeployment>> CreateRunning();
  ~TestDeployment();

  // How the programs are started, for tests that change an option. `name`: "gateway-1".
  policy::Config PolicyConfig() const;
  ca::Config CaConfig() const;
  gateway::Config GatewayConfig(const std::string& name) const;

  // Starts, or starts again. Errors show the last lines of the program's log.
  absl::Status StartPolicy(const policy::Config& config);
  absl::Status StartPolicy() { return StartPolicy(PolicyConfig()); }
  absl::Status StartCa(const ca::Config& config);
  absl::Status StartCa() { return StartCa(CaConfig()); }
  absl::Status StartGateway(const std::string& name, const gateway::Config& config);
  absl::Status StartGateway(const std::string& name) {
    return StartGateway(name, GatewayConfig(name));
  }

  simulator::ComponentProcess& policy() { return *processes_.at("dt-policy"); }
  simulator::ComponentProcess& ca() { return *processes_.at("dt-ca"); }
  simulator::ComponentProcess& gateway(const std::string& name) { return *processes_.at(name); }

  // SIGKILL, and gone when it returns.
  void Kill(const std::string& process);

  // After StartPolicy(): Device Trust on, AD integration, people ("user0@corp.test", password
  // "Pw-0", and so on), the IWA's key.
  absl::Status SetUpOrg();

  // What an IWA would issue: for person and computer `number`, bound to `key`.
  absl::StatusOr<std::string> UserToken(int number, const pki::PublicKey& key);

  std::shared_ptr<grpc::Channel> OrgAs(const pki::ExportableIdentity& who);
  std::shared_ptr<grpc::Channel> CaAs(const pki::ExportableIdentity& who);
  std::shared_ptr<grpc::Channel> CaEdge();
  const pki::ExportableIdentity& admin() { return pki_.Admin("test"); }
  // "ca", "policy", "iwa-1", "gateway-1".
  const pki::ExportableIdentity& component(const std::string& name) { return pki_.Component(name); }
  const pki::Certificate& web_ca() const { return pki_.web_ca().certificate; }

  const std::string& folder() const { return folder_.path(); }
  std::string Address(const std::string& listener) const { return addresses_.at(listener); }
  const std::string& user_id(int number) const { return user_ids_[static_cast<size_t>(number)]; }

 private:
  TestDeployment(std::string bin, int people);
  absl::Status Prepare();
  absl::Status AddAccounts();
  template <typename Config>
  absl::Status StartProgram(const std::string& name, const std::string& program,
                            const Config& config);
  void SetIdentity(service::ComponentConfig& config, const std::string& name) const;
  std::string File(const std::string& name) const { return folder_ / name; }

  testing::TempFolder folder_;
  const std::string bin_;
  const int people_;
  const SystemClock clock_;
  SystemRandom random_;
  throwaway::ThrowawayPki pki_;
  token::SigningKey iwa_key_;
  std::unique_ptr<simulator::AccountTable> accounts_;
  std::uint32_t realm_ = 0;
  std::unique_ptr<simulator::LdapServer> ldap_;
  std::map<std::string, std::string> addresses_;  // "ca-edge" to 127.0.0.1:PORT.
  std::map<std::string, std::unique_ptr<simulator::ComponentProcess>> processes_;
  std::vector<std::string> user_ids_;
};

}  // namespace devicetrust::tests
