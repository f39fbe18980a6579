#include "tests/test_deployment.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/base/files.h"
#include "libs/rpc/channel.h"
#include "libs/throwaway/free_port.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "simulator/deployment/config_file.h"

namespace devicetrust::tests {
namespace {

constexpr std::chrono::seconds kStartMax{20};
constexpr const char* kRealm = "CORP.TEST";
constexpr const char* kDomain = "corp.test";
constexpr const char* kDirectoryPassword = "Svc-1-directory";

std::string PersonName(int number) { return fmt::format("user{}", number); }
std::string ComputerName(int number) { return fmt::format("PC{:04}$", number); }

rpc::Identity PemOf(const pki::ExportableIdentity& identity) {
  return {.certificate_pem = identity.certificate.Pem(), .key_pem = identity.key.Pem()};
}

}  // namespace

TestDeployment::TestDeployment(std::string bin, int people)
    : bin_(std::move(bin)),
      people_(people),
      pki_(kOrg, clock_.Now()),
      iwa_key_{"iwa-1-key", pki::PrivateKey::Generate().value()} {}

TestDeployment::~TestDeployment() {
  processes_.clear();
  ldap_.reset();
}

absl::StatusOr<std::unique_ptr<TestDeployment>> TestDeployment::Create(int people) {
  const char* bin = std::getenv("DT_BIN");
  if (bin == nullptr) return absl::FailedPreconditionError("DT_BIN names no folder of programs");
  std::unique_ptr<TestDeployment> deployment(new TestDeployment(bin, people));
  DT_RETURN_IF_ERROR(deployment->Prepare());
  return deployment;
}

absl::StatusOr<std::unique_ptr<TestDeployment>> TestDeployment::CreateRunning() {
  DT_ASSIGN_OR_RETURN(auto deployment, Create());
  DT_RETURN_IF_ERROR(deployment->StartPolicy());
  DT_RETURN_IF_ERROR(deployment->StartCa());
  DT_RETURN_IF_ERROR(deployment->SetUpOrg());
  return deployment;
}

absl::Status TestDeployment::Prepare() {
  for (const char* name : {"ca", "policy", "iwa-1", "gateway-1", "gateway-2"}) pki_.Component(name);
  pki_.Admin("test");
  pki_.Server("ca-edge", {"localhost", "ca.devicetrust.internal"});
  pki_.Server("org", {"org.localhost"});
  pki_.Server("mtls", {"mtls.localhost", "*.mtls.localhost"});
  DT_RETURN_IF_ERROR(pki_.WriteTo(folder_.path()));
  DT_RETURN_IF_ERROR(WriteFileAtomically(File("kek"), std::string(64, '7') + "\n"));
  DT_RETURN_IF_ERROR(WriteFileAtomically(File("directory-password"), kDirectoryPassword));
  for (const char* listener : {"ca-edge", "ca-internal", "ca-http", "policy", "gateway-1-org",
                               "gateway-1-mtls", "gateway-2-org", "gateway-2-mtls"}) {
    DT_ASSIGN_OR_RETURN(const std::uint16_t port, throwaway::FreePort(random_));
    addresses_[listener] = fmt::format("127.0.0.1:{}", port);
  }
  return AddAccounts();
}

absl::Status TestDeployment::AddAccounts() {
  DT_ASSIGN_OR_RETURN(accounts_,
                      simulator::AccountTable::Create(File("accounts"), 3000, clock_, random_));
  DT_ASSIGN_OR_RETURN(realm_, accounts_->AddRealm({.name = kRealm, .netbios = "CORP"}));
  std::vector<simulator::NewAccount> all;
  all.push_back({.name = "svc-directory", .password = kDirectoryPassword});
  for (int i = 0; i < people_; ++i) {
    all.push_back({.name = PersonName(i), .password = fmt::format("Pw-{}", i)});
    all.push_back({.kind = simulator::AccountKind::kComputer,
                   .name = ComputerName(i),
                   .operating_system = "Windows 10 Enterprise",
                   .operating_system_version = "10.0 (19045)"});
  }
  DT_RETURN_IF_ERROR(accounts_->Add(realm_, all).status());
  simulator::LdapServerConfig config{.identity = pki_.Server("ldap", {"localhost"})};
  DT_ASSIGN_OR_RETURN(ldap_,
                      simulator::LdapServer::Start(std::move(config), accounts_->view(), clock_));
  return absl::OkStatus();
}

void TestDeployment::SetIdentity(service::ComponentConfig& config, const std::string& name) const {
  config.org = kOrg;
  config.internal_cert = File(name + ".pem");
  config.internal_key = File(name + ".key");
  config.deployment_ca = File("deployment-ca.pem");
}

policy::Config TestDeployment::PolicyConfig() const {
  policy::Config config;
  SetIdentity(config, "policy");
  config.internal_listen = Address("policy");
  config.database = "sqlite:" + File("policy.db");
  config.log_database = "sqlite:" + File("log.db");
  config.kek_file = File("kek");
  config.ca_address = Address("ca-internal");
  service::DirectoryConfig& directory = config.directories.emplace_back();
  directory.domain = kDomain;
  directory.netbios_name = "CORP";
  directory.domain_sid = simulator::DomainSid(accounts_->view().realms()[realm_]);
  directory.url = ldap_->url();
  directory.ca = File("web-ca.pem");
  directory.bind_dn = std::string("svc-directory@") + kDomain;
  directory.password_file = File("directory-password");
  config.capability = true;
  return config;
}

ca::Config TestDeployment::CaConfig() const {
  ca::Config config;
  SetIdentity(config, "ca");
  config.database = "sqlite:" + File("ca.db");
  config.kek_file = File("kek");
  config.edge_listen = Address("ca-edge");
  config.edge_cert = File("ca-edge.pem");
  config.edge_key = File("ca-edge.key");
  config.internal_listen = Address("ca-internal");
  config.http_listen = Address("ca-http");
  config.org_address = Address("policy");
  return config;
}

gateway::Config TestDeployment::GatewayConfig(const std::string& name) const {
  gateway::Config config;
  SetIdentity(config, name);
  config.org_listen = Address(name + "-org");
  config.org_cert = File("org.pem");
  config.org_key = File("org.key");
  config.mtls_listen = Address(name + "-mtls");
  config.mtls_cert = File("mtls.pem");
  config.mtls_key = File("mtls.key");
  config.edge_ca_bundle = File("web-ca.pem");
  config.org_address = Address("policy");
  config.ca_address = Address("ca-internal");
  return config;
}

template <typename Config>
absl::Status TestDeployment::StartProgram(const std::string& name, const std::string& program,
                                          const Config& config) {
  processes_.erase(name);
  DT_ASSIGN_OR_RETURN(const std::string file,
                      simulator::WriteConfigFile(config, folder_.path(), name));
  DT_ASSIGN_OR_RETURN(processes_[name],
                      simulator::ComponentProcess::Start({.name = name,
                                                          .program = bin_ + "/" + program,
                                                          .args = {"--config", file},
                                                          .run_dir = folder_.path(),
                                                          .environment = {}},
                                                         kStartMax));
  return absl::OkStatus();
}

absl::Status TestDeployment::StartPolicy(const policy::Config& config) {
  return StartProgram("dt-policy", "dt-policy", config);
}
absl::Status TestDeployment::StartCa(const ca::Config& config) {
  return StartProgram("dt-ca", "dt-ca", config);
}
absl::Status TestDeployment::StartGateway(const std::string& name, const gateway::Config& config) {
  return StartProgram(name, "dt-gateway", config);
}

void TestDeployment::Kill(const std::string& process) {
  simulator::ChildProcess& child = processes_.at(process)->child();
  child.Signal(SIGKILL);
  child.WaitForEnd(std::chrono::seconds(10));
}

std::shared_ptr<grpc::Channel> TestDeployment::OrgAs(const pki::ExportableIdentity& who) {
  return rpc::NewChannel({.address = Address("policy"),
                          .server_name = "policy.devicetrust.internal",
                          .trust_pem = pki_.deployment_ca().certificate.Pem(),
                          .identity = PemOf(who)});
}

std::shared_ptr<grpc::Channel> TestDeployment::CaAs(const pki::ExportableIdentity& who) {
  return rpc::NewChannel({.address = Address("ca-internal"),
                          .server_name = "ca.devicetrust.internal",
                          .trust_pem = pki_.deployment_ca().certificate.Pem(),
                          .identity = PemOf(who)});
}

std::shared_ptr<grpc::Channel> TestDeployment::CaEdge() {
  return rpc::NewChannel({.address = Address("ca-edge"),
                          .server_name = "localhost",
                          .trust_pem = pki_.web_ca().certificate.Pem(),
                          .identity = std::nullopt});
}

absl::Status TestDeployment::SetUpOrg() {
  const auto channel = OrgAs(admin());
  const auto settings = org::v1::SettingsService::NewStub(channel);
  org::v1::SetAdIntegrationRequest integration;
  integration.set_active(true);
  integration.add_domains(kDomain);
  DT_RETURN_IF_ERROR(
      rpc::Call(*settings, &org::v1::SettingsService::Stub::SetAdIntegration, integration)
          .status());
  org::v1::SetDeviceTrustRequest on;
  on.set_enabled(true);
  DT_RETURN_IF_ERROR(
      rpc::Call(*settings, &org::v1::SettingsService::Stub::SetDeviceTrust, on).status());

  const simulator::AccountView& view = accounts_->view();
  org::v1::ImportUsersRequest users;
  for (int i = 0; i < people_; ++i) {
    const simulator::Row row = view.Read(*view.FindName(realm_, PersonName(i)));
    org::v1::UserImport& person = *users.add_users();
    person.set_sid(simulator::Sid(view.realms()[realm_], row.account.rid));
    person.set_account_name(PersonName(i));
    person.set_principal(PersonName(i) + "@" + kDomain);
    person.set_display_name(PersonName(i));
  }
  const auto stub = org::v1::UserService::NewStub(channel);
  DT_ASSIGN_OR_RETURN(const auto imported,
                      rpc::Call(*stub, &org::v1::UserService::Stub::ImportUsers, users));
  user_ids_ = {imported.user_ids().begin(), imported.user_ids().end()};

  org::v1::RegisterIwaRequest iwa;
  iwa.mutable_iwa()->set_name("iwa-1");
  iwa.mutable_iwa()->set_address("127.0.0.1:1");
  iwa.mutable_iwa()->set_spn("HTTP/iwa.corp.test");
  iwa.mutable_iwa()->set_version("1.14.0");
  iwa.mutable_iwa()->set_primary(true);
  iwa.mutable_iwa()->add_domains(kDomain);
  iwa.mutable_iwa()->set_binding("https");
  org::v1::IwaKey& key = *iwa.mutable_iwa()->add_keys();
  key.set_kid(iwa_key_.kid);
  DT_ASSIGN_OR_RETURN(*key.mutable_jwk(), token::ToJwk(iwa_key_.key.public_key(), iwa_key_.kid));
  const auto registry = org::v1::IwaRegistryService::NewStub(OrgAs(pki_.Component("iwa-1")));
  DT_RETURN_IF_ERROR(
      rpc::Call(*registry, &org::v1::IwaRegistryService::Stub::RegisterIwa, iwa).status());
  org::v1::SetIwaDomainsRequest grant;
  grant.set_name("iwa-1");
  grant.add_domains(kDomain);
  const auto iwas = org::v1::IwaRegistryService::NewStub(channel);
  return rpc::Call(*iwas, &org::v1::IwaRegistryService::Stub::SetIwaDomains, grant).status();
}

absl::StatusOr<std::string> TestDeployment::UserToken(int number, const pki::PublicKey& key) {
  const simulator::AccountView& view = accounts_->view();
  const auto sid_of = [&](const std::string& name) {
    return simulator::Sid(view.realms()[realm_],
                          view.Read(*view.FindName(realm_, name)).account.rid);
  };
  token::UserToken token;
  const WallTime now = std::chrono::floor<std::chrono::seconds>(clock_.Now());
  token.envelope.issuer = token::IwaUrn(kOrg, "iwa-1");
  token.envelope.audience = token::CaUrn(kOrg);
  DT_ASSIGN_OR_RETURN(token.envelope.id, token::NewTokenId(clock_.Now(), random_));
  token.envelope.issued_at = now;
  token.envelope.expires_at = now + token::kUserTokenLifetime;
  token.user_sid = sid_of(PersonName(number));
  token.user_name = PersonName(number) + "@" + kRealm;
  token.computer_sid = sid_of(ComputerName(number));
  token.computer_name = ComputerName(number);
  token.realm = kRealm;
  token.key_thumbprint = key.Thumbprint();
  return token::Sign(token, iwa_key_);
}

}  // namespace devicetrust::tests
