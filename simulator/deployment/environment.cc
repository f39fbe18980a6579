#include "simulator/deployment/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "libs/base/files.h"
#include "libs/base/random_id.h"
#include "libs/base/wait_until.h"
#include "libs/kerberos/environment.h"
#include "libs/pki/sealed_file.h"
#include "libs/rpc/channel.h"
#include "libs/throwaway/free_port.h"
#include "simulator/deployment/org_setup.h"
#include "simulator/deployment/test_keys.h"
#include "simulator/devices/fleet_forest.h"

namespace devicetrust::simulator {
namespace {

constexpr const char* kAnyPort = "127.0.0.1:0";
constexpr const char* kOrgHost = "org.localhost";
constexpr const char* kMtlsHost = "mtls.localhost";
constexpr const char* kIwaName = "iwa-1";
constexpr std::uint32_t kSpareAccounts = 1000;  // For who adds some to a running environment.
constexpr std::chrono::seconds kRegisteredWithin{10};
constexpr std::chrono::seconds kCallTimeout{10};  // The set-up may meet a machine under load.

std::string Listen(std::uint16_t port) { return fmt::format("127.0.0.1:{}", port); }

std::string PortOf(const std::string& address) { return address.substr(address.rfind(':') + 1); }

std::string OrgSpn() { return fmt::format("HTTP/{}", kOrgHost); }

}  // namespace

Environment::Environment(const EnvironmentConfig& config, const Clock& clock, Random& random)
    : config_(config),
      clock_(clock),
      random_(random),
      own_pki_(config.pki == nullptr
                   ? std::make_unique<throwaway::ThrowawayPki>(config.org, clock.Now())
                   : nullptr),
      pki_(config.pki == nullptr ? *own_pki_ : *config.pki),
      clocks_{ShiftedClock(clock), ShiftedClock(clock), ShiftedClock(clock), ShiftedClock(clock),
              ShiftedClock(clock)} {}

Environment::~Environment() {
  for (std::size_t part = 0; part < kParts; ++part) {
    if (paused_[part]) static_cast<void>(SetPaused(static_cast<Part>(part), false));
  }
  for (RunningComponent* const component : {gateway_.get(), iwa_.get(), ca_.get(), policy_.get()}) {
    if (component != nullptr) component->BeginStop();
  }
  gateway_.reset();
  iwa_.reset();
  ca_.reset();
  policy_.reset();
  kerberos::UseLoopbackKdc({}, 0);
}

absl::StatusOr<std::unique_ptr<Environment>> Environment::Start(const EnvironmentConfig& config,
                                                                const Fleet& fleet,
                                                                const Clock& clock,
                                                                Random& random) {
  std::unique_ptr<Environment> environment(new Environment(config, clock, random));
  DT_RETURN_IF_ERROR(Annotate(environment->MakeCertificates(fleet), "certificates"));
  DT_RETURN_IF_ERROR(Annotate(environment->StartForests(fleet), "forests"));
  // The org must know where the CA will listen before the CA, which asks the org, is there.
  DT_ASSIGN_OR_RETURN(const std::uint16_t ca_port, throwaway::FreePort(random));
  const std::string ca_address = Listen(ca_port);
  DT_RETURN_IF_ERROR(Annotate(environment->StartPolicy(ca_address), "policy engine"));
  DT_RETURN_IF_ERROR(Annotate(environment->StartCa(ca_address), "certificate authority"));
  DT_RETURN_IF_ERROR(environment->ConnectAdmin());
  DT_RETURN_IF_ERROR(Annotate(
      SetUpOrg(*environment->admin_, fleet, environment->sids_, config.learn_more_url), "org"));
  DT_RETURN_IF_ERROR(Annotate(GrantDomains(*environment->admin_, fleet, kIwaName), "org"));
  if (!config.zones.empty()) {
    org::v1::SetZonesRequest zones;
    zones.mutable_zones()->Assign(config.zones.begin(), config.zones.end());
    DT_RETURN_IF_ERROR(Annotate(environment->admin_->SetZones(zones), "zones"));
  }
  for (const org::v1::App& app : config.apps) {
    DT_RETURN_IF_ERROR(Annotate(RegisterApp(*environment->admin_, app), "app " + app.id()));
  }
  DT_RETURN_IF_ERROR(Annotate(environment->StartIwa(), "iwa"));
  DT_RETURN_IF_ERROR(Annotate(environment->StartGateway(), "gateway"));
  DT_RETURN_IF_ERROR(Annotate(environment->WaitForIwa(), "iwa"));
  return environment;
}

absl::Status Environment::MakeCertificates(const Fleet& fleet) {
  for (const char* component : {"policy", "ca", kIwaName, "gateway-1"}) pki_.Component(component);
  pki_.Admin("dt-sim");
  pki_.Server("org", {kOrgHost});
  pki_.Server("mtls", {kMtlsHost, fmt::format("*.{}", kMtlsHost)});
  pki_.Server("edge", {"localhost", "ca.devicetrust.internal", "iwa.devicetrust.internal",
                       "iwa." + fleet.domains.front().dns_name});
  std::vector<std::string> domain_controllers = {"localhost"};
  for (const ForestSpec& forest : fleet.forests) {
    domain_controllers.push_back("dc1." + forest.domains.front().dns_name);
  }
  pki_.Server("directory", domain_controllers);
  DT_RETURN_IF_ERROR(pki_.WriteTo(Path("pki")));
  kek_file_ = Path("kek");
  return pki::WriteKeyEncryptionKey(kek_file_, random_);
}

absl::Status Environment::StartForests(const Fleet& fleet) {
  ForestsConfig config;
  config.run_dir = config_.run_dir;
  config.forests = fleet.forests;
  config.trusts = fleet.trusts;
  config.accounts_max =
      static_cast<std::uint32_t>(fleet.users.size() + fleet.domain_joined) + kSpareAccounts;
  DT_ASSIGN_OR_RETURN(forests_, Forests::Create(config, clock_, random_));
  DT_RETURN_IF_ERROR(kerberos::UseConfig(forests_->kdc().config_path()));
  kerberos::UseLoopbackKdc(forests_->realms(), forests_->kdc().port());
  ::setenv("KRB5RCACHENAME", ("file2:" + Path("default.rcache2")).c_str(), 1);

  DT_ASSIGN_OR_RETURN(const std::string password, NewRandomHex(12, random_));
  ldap_password_file_ = Path("directory.password");
  DT_RETURN_IF_ERROR(WriteFileAtomically(ldap_password_file_, password + "\n"));
  DT_ASSIGN_OR_RETURN(sids_, PopulateForests(*forests_, fleet, password));
  iwa_spn_ = "HTTP/iwa." + fleet.domains.front().dns_name;
  DT_RETURN_IF_ERROR(WriteKeytab(iwa_spn_, iwa_keytab()));
  if (config_.ticket_sign_in) DT_RETURN_IF_ERROR(WriteKeytab(OrgSpn(), org_keytab()));
  return StartDirectories(fleet);
}

// Of a forest that the first trusts, tickets come by referral; the others need a key in each realm.
absl::Status Environment::WriteKeytab(const std::string& spn, const std::string& path) {
  std::vector<std::string> principals;
  const std::span<const Realm> realms = forests_->view().realms();
  for (std::uint32_t realm = 0; realm < realms.size(); ++realm) {
    if (realms[realm].forest != 0 && forests_->view().Reaches(realm, 0)) continue;
    principals.push_back(fmt::format("{}@{}", spn, realms[realm].name.view()));
    DT_RETURN_IF_ERROR(forests_->AddService(principals.back()));
  }
  return forests_->WriteKeytab(path, principals);
}

absl::Status Environment::StartDirectories(const Fleet& fleet) {
  std::uint32_t realm = 0;
  for (const ForestSpec& forest : fleet.forests) {
    LdapServerConfig server{.identity = pki_.Server("directory", {})};
    for (std::size_t i = 0; i < forest.domains.size(); ++i) {
      server.realms.push_back(realm + static_cast<std::uint32_t>(i));
    }
    DT_ASSIGN_OR_RETURN(domain_controllers_.emplace_back(),
                        LdapServer::Start(std::move(server), forests_->view(), clock_));
    constexpr std::string_view kScheme = "ldaps://";
    DT_ASSIGN_OR_RETURN(
        const std::string directory,
        By(Link::kDirectory, domain_controllers_.back()->url().substr(kScheme.size())));
    const std::string directory_url = std::string(kScheme) + directory;
    for (const DomainSpec& domain : forest.domains) {
      service::DirectoryConfig& config = directories_.emplace_back();
      config.domain = domain.dns_name;
      config.netbios_name = domain.netbios_name;
      config.domain_sid = DomainSid(forests_->view().realms()[realm++]);
      config.forest = forest.domains.front().dns_name;
      config.url = directory_url;
      config.ca = Pem("web-ca");
      config.bind_dn = fmt::format("{}@{}", kDirectoryAccount, domain.dns_name);
      config.password_file = ldap_password_file_;
    }
  }
  return absl::OkStatus();
}

template <typename Config>
void Environment::SetIdentity(Config& config, const std::string& name) const {
  config.org = config_.org;
  config.internal_cert = Pem(name);
  config.internal_key = Key(name);
  config.deployment_ca = Pem("deployment-ca");
}

absl::Status Environment::StartPolicy(const std::string& ca_address) {
  policy::Config& config = policy_config_;
  SetIdentity(config, "policy");
  config.database = "sqlite:" + Path("policy.db");
  config.log_database = "sqlite:" + Path("system-log.db");
  config.kek_file = kek_file_;
  config.internal_listen = kAnyPort;
  DT_ASSIGN_OR_RETURN(config.ca_address, By(Link::kCa, ca_address));
  config.directories = directories_;
  config.ticket_sign_in = config_.ticket_sign_in;
  DT_RETURN_IF_ERROR(LaunchPolicy());
  config.internal_listen = policy_->Address("internal");
  DT_ASSIGN_OR_RETURN(org_address_, By(Link::kPolicy, policy_->Address("internal")));
  return absl::OkStatus();
}

absl::Status Environment::StartCa(const std::string& ca_address) {
  ca::Config& config = ca_config_;
  SetIdentity(config, "ca");
  config.database = "sqlite:" + Path("ca.db");
  config.kek_file = kek_file_;
  config.edge_listen = kAnyPort;
  config.edge_cert = Pem("edge");
  config.edge_key = Key("edge");
  config.internal_listen = ca_address;
  config.http_listen = kAnyPort;
  config.org_address = org_address_;
  DT_RETURN_IF_ERROR(LaunchCa());
  config.edge_listen = ca_->Address("edge");
  config.http_listen = ca_->Address("http");
  return absl::OkStatus();
}

absl::Status Environment::StartIwa() {
  iwa::Config& config = iwa_config_;
  SetIdentity(config, kIwaName);
  config.name = kIwaName;
  config.database = "sqlite:" + Path("iwa.db");
  config.kek_file = kek_file_;
  config.edge_listen = kAnyPort;
  config.edge_cert = Pem("edge");
  config.edge_key = Key("edge");
  config.internal_listen = kAnyPort;
  config.org_address = org_address_;
  config.spn = iwa_spn_;
  config.keytab = iwa_keytab();
  config.replay_cache = Path("iwa.rcache2");
  config.krb5_config = forests_->kdc().config_path();
  config.directories = directories_;
  DT_RETURN_IF_ERROR(LaunchIwa());
  config.edge_listen = iwa_->Address("edge");
  config.internal_listen = iwa_->Address("internal");
  return absl::OkStatus();
}

absl::Status Environment::StartGateway() {
  gateway::Config& config = gateway_config_;
  SetIdentity(config, "gateway-1");
  config.org_listen = Listen(config_.org_port);
  config.org_host = kOrgHost;
  config.org_name = config_.org_name;
  config.org_cert = Pem("org");
  config.org_key = Key("org");
  config.mtls_listen = Listen(config_.mtls_port);
  config.mtls_host = kMtlsHost;
  config.mtls_names = config_.mtls_names;
  config.mtls_cert = Pem("mtls");
  config.mtls_key = Key("mtls");
  config.edge_ca_bundle = Pem("web-ca");
  config.org_address = org_address_;
  config.ca_address = policy_config_.ca_address;  // By its relay, if it has one.
  if (config_.ticket_sign_in) {
    config.ticket_keytab = org_keytab();
    config.ticket_replay_cache = Path("org.rcache2");
    config.krb5_config = forests_->kdc().config_path();
  }
  DT_RETURN_IF_ERROR(LaunchGateway());
  config.org_listen = gateway_->Address("org");
  config.mtls_listen = gateway_->Address("mtls");
  org_origin_ = fmt::format("https://{}:{}", kOrgHost, PortOf(gateway_->Address("org")));
  mtls_origin_ = fmt::format("https://{}:{}", kMtlsHost, PortOf(gateway_->Address("mtls")));
  return absl::OkStatus();
}

absl::Status Environment::ConnectAdmin() {
  const pki::ExportableIdentity& admin = pki_.Admin("dt-sim");
  const rpc::Identity identity{admin.certificate.Pem(), admin.key.Pem()};
  const std::string trust = pki_.deployment_ca().certificate.Pem();
  const admin::Channels channels = {
      rpc::NewChannel(
          {policy_->Address("internal"), "policy.devicetrust.internal", trust, identity}),
      rpc::NewChannel({ca_->Address("internal"), "ca.devicetrust.internal", trust, identity})};
  admin_ = std::make_unique<admin::AdminClient>(
      channels, admin::AdminConfig{.name = "admin:dt-sim",
                                   .org_address = policy_->Address("internal"),
                                   .ca_address = ca_->Address("internal"),
                                   .timeout = kCallTimeout});
  return absl::OkStatus();
}

absl::Status Environment::DescribeIssuers(Endpoints& endpoints) {
  DT_ASSIGN_OR_RETURN(const ca::v1::GetIssuersResponse issuers, admin_->GetIssuers());
  if (issuers.issuers().empty()) return absl::InternalError("the CA has no issuer");
  const ca::v1::Issuer& active = issuers.issuers(0);
  endpoints.crl_url = active.crl_url();
  endpoints.root_crl_url = active.root_crl_url();
  endpoints.ocsp_url = active.ocsp_url();
  endpoints.device_ca_chain = Path("device-ca.pem");
  std::vector<pki::Certificate> chain;
  for (const std::string& der : active.chain_der()) {
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(AsBytes(der)));
    chain.push_back(std::move(certificate));
  }
  return WriteFileAtomically(endpoints.device_ca_chain, pki::CertificatesToPem(chain), 0644);
}

absl::Status Environment::WaitForIwa() {
  const auto registered = [this]() -> absl::StatusOr<bool> {
    DT_RETURN_IF_ERROR(iwa_->Check());
    DT_ASSIGN_OR_RETURN(const std::vector<org::v1::Iwa> iwas, admin_->ListIwas());
    return std::any_of(iwas.begin(), iwas.end(), [](const org::v1::Iwa& iwa) {
      return iwa.name() == kIwaName && iwa.enabled() && iwa.keys_size() > 0;
    });
  };
  return Annotate(WaitUntil(registered, std::chrono::milliseconds(10), kRegisteredWithin),
                  "registration with the org");
}

absl::StatusOr<Endpoints> Environment::DescribeEndpoints() {
  Endpoints endpoints;
  endpoints.org_url = org_origin_;
  endpoints.mtls_url = mtls_origin_;
  endpoints.mtls_check_url = check_url();
  endpoints.mtls_host_pattern =
      config_.mtls_names == "fixed" ? std::string(kMtlsHost) : fmt::format("*.{}", kMtlsHost);
  endpoints.ca_bundle = Pem("web-ca");
  DT_RETURN_IF_ERROR(Annotate(DescribeIssuers(endpoints), "device CA"));
  endpoints.saml_metadata_url = metadata_url();
  endpoints.wsfed_metadata_url = federation_metadata_url();
  endpoints.sign_out_url = org_origin_ + "/signout";
  endpoints.learn_more_url = config_.learn_more_url;
  endpoints.browser_policy =
      fmt::format(R"({{"AutoSelectCertificateForUrls":["{{\"pattern\":\"https://[*.]{}\",)"
                  R"(\"filter\":{{\"ISSUER\":{{\"CN\":\"MTLS Certificate Authority\"}}}}}}"]}})",
                  kMtlsHost);
  const auto internal = [this](const RunningComponent& component, const std::string& server_name) {
    return GrpcEndpoint{component.Address("internal"), server_name, Pem("deployment-ca"),
                        Pem("admin-dt-sim"), Key("admin-dt-sim")};
  };
  endpoints.grpc["policy.internal"] = internal(*policy_, "policy.devicetrust.internal");
  endpoints.grpc["ca.internal"] = internal(*ca_, "ca.devicetrust.internal");
  endpoints.grpc["ca.edge"] = {ca_->Address("edge"), "ca.devicetrust.internal", Pem("web-ca"), "",
                               ""};
  endpoints.grpc["iwa.internal"] =
      internal(*iwa_, fmt::format("{}.devicetrust.internal", kIwaName));
  endpoints.grpc["iwa.edge"] = {iwa_->Address("edge"), "iwa.devicetrust.internal", Pem("web-ca"),
                                "", ""};
  endpoints.test_keys = Path("test-keys");
  DT_RETURN_IF_ERROR(Annotate(WriteTestKeys({config_.org, kIwaName, Path("ca.db"), Path("iwa.db"),
                                             kek_file_, endpoints.test_keys}),
                              "test keys"));
  endpoints.krb5_conf = forests_->kdc().config_path();
  endpoints.realms = forests_->realms();
  endpoints.iwa_spn = iwa_spn_;
  for (const std::string& realm : forests_->realms()) {
    const std::string principal = fmt::format("{}@{}", iwa_spn_, realm);
    if (!forests_->view().FindPrincipal(principal)) continue;
    endpoints.keytabs[principal] = iwa_keytab();
    if (!config_.ticket_sign_in) continue;
    endpoints.keytabs[fmt::format("{}@{}", OrgSpn(), realm)] = org_keytab();
  }
  endpoints.ldap_url = domain_controllers_.front()->url();
  endpoints.ldap_base_dn = forests_->view().realms().front().base_dn.str();
  endpoints.ldap_ca_pem = Pem("web-ca");
  return endpoints;
}

}  // namespace devicetrust::simulator
