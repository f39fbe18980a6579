#include "iwa/iwa_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "devicetrust/iwa/v1/iwa.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "libs/base/files.h"
#include "libs/kerberos/environment.h"
#include "libs/pki/sealed_file.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/error.h"
#include "libs/rpc/server.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "libs/token/bound_request.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"
#include "simulator/forest/forests.h"
#include "simulator/forest/ldap/server.h"

namespace devicetrust {
namespace {

using iwa::v1::DomainProofService;
using iwa::v1::IssueDeviceTokenResponse;
using iwa::v1::IssueUserTokenResponse;
using kerberos::Credentials;
using kerberos::Initiator;
using token::BindingsOf;

constexpr const char* kService = "HTTP/iwa.corp.test";

// Remembers what the IWA says of itself.
class FakeOrg final : public org::v1::IwaRegistryService::Service {
 public:
  grpc::Status RegisterIwa(grpc::ServerContext* /*context*/,
                           const org::v1::RegisterIwaRequest* request,
                           org::v1::RegisterIwaResponse* /*response*/) override {
    const std::lock_guard lock(mutex_);
    iwa_ = request->iwa();
    changed_.notify_all();
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext* /*context*/,
                         const org::v1::HeartbeatRequest* /*request*/,
                         org::v1::HeartbeatResponse* /*response*/) override {
    return grpc::Status::OK;
  }
  void Forget() {
    const std::lock_guard lock(mutex_);
    iwa_.Clear();
  }
  // The registered IWA; an empty one when none comes within 20 s.
  org::v1::Iwa WaitForIwa() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [this] { return !iwa_.name().empty(); });
    return iwa_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  org::v1::Iwa iwa_;
};

class IwaInForestTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }

  void SetUp() override {
    forest_ = simulator::Forests::Create({.run_dir = folder_.path(), .accounts_max = 100}, clock_,
                                         random_)
                  .value();
    const std::vector<simulator::NewAccount> accounts = {
        {.name = "alice", .password = "Pw-alice"},
        {.name = "svc-iwa", .password = "Pw-svc"},
        {.kind = simulator::AccountKind::kComputer, .name = "PC1$"}};
    DT_ASSERT_OK(forest_->accounts().Add(0, accounts));
    const std::vector<std::string> services = {std::string(kService) + "@CORP.TEST"};
    DT_ASSERT_OK(forest_->AddService(services.front()));
    DT_ASSERT_OK(forest_->WriteKeytab(Path("iwa.keytab"), services));

    pki_.Component("iwa-1");
    pki_.Server("edge", {"localhost"});
    DT_ASSERT_OK(pki_.WriteTo(folder_.path()));
    DT_ASSERT_OK(pki::WriteKeyEncryptionKey(Path("kek"), random_));
    DT_ASSERT_OK(WriteFileAtomically(Path("ldap-password"), "Pw-svc\n", 0600));
    StartLdap(0);
    StartOrg("127.0.0.1:0");
    Configure();
  }
  std::string DomainSid() const { return simulator::DomainSid(forest_->view().realms()[0]); }
  void StartLdap(std::uint16_t port) {
    simulator::LdapServerConfig config{.port = port, .identity = pki_.Server("ldap", {"dc1"})};
    ldap_ = simulator::LdapServer::Start(std::move(config), forest_->view(), clock_).value();
  }
  void StartOrg(const std::string& listen) {
    const pki::ExportableIdentity& identity = pki_.Component("policy");
    org_ = rpc::Server::Start({.name = "internal",
                               .flag = "--internal-listen",
                               .listen = listen,
                               .identity = {identity.certificate.Pem(), identity.key.Pem()},
                               .client_ca_pem = pki_.deployment_ca().certificate.Pem(),
                               .org = "acme"},
                              {&registry_},
                              {{"devicetrust.org.v1.IwaRegistryService.RegisterIwa", {"iwa"}},
                               {"devicetrust.org.v1.IwaRegistryService.Heartbeat", {"iwa"}}})
               .value();
  }
  void Configure() {
    config_.name = "iwa-1";
    config_.database = "sqlite:" + Path("iwa.db");
    config_.kek_file = Path("kek");
    config_.edge_listen = "127.0.0.1:0";
    config_.edge_cert = Path("edge.pem");
    config_.edge_key = Path("edge.key");
    config_.internal_listen = "127.0.0.1:0";
    config_.internal_cert = Path("iwa-1.pem");
    config_.internal_key = Path("iwa-1.key");
    config_.deployment_ca = Path("deployment-ca.pem");
    config_.org_address = org_->address();
    config_.keytab = Path("iwa.keytab");
    config_.replay_cache = Path("iwa.rcache");
    config_.krb5_config = forest_->kdc().config_path();
    config_.spn = kService;
    service::DirectoryConfig& directory = config_.directories.emplace_back();
    directory.domain = "corp.test";
    directory.netbios_name = "CORP";
    directory.domain_sid = DomainSid();
    directory.url = ldap_->url();
    directory.ca = Path("web-ca.pem");
    directory.bind_dn = "svc-iwa@corp.test";
    directory.password_file = Path("ldap-password");
  }
  void StartIwa() {
    auto server = iwa::IwaServer::Create(config_, clock_, random_);
    DT_ASSERT_OK(server);
    iwa_ = *std::move(server);
    stub_ =
        DomainProofService::NewStub(rpc::NewChannel({.address = iwa_->addresses().front().second,
                                                     .server_name = {},
                                                     .trust_pem = pki_.web_ca().certificate.Pem(),
                                                     .identity = {}}));
  }

  Credentials LogOn(const std::string& name) {
    const std::string principal = fmt::format("{}@CORP.TEST", name);
    return Credentials::FromKey(principal, forest_->KeyOf(principal).value()).value();
  }
  absl::StatusOr<IssueDeviceTokenResponse> SendDevice(const Bytes& spnego) {
    iwa::v1::IssueDeviceTokenRequest request;
    request.set_spnego_token(ToString(spnego));
    request.set_key_thumbprint(thumbprint_);
    return rpc::Call(*stub_, &DomainProofService::Stub::IssueDeviceToken, request,
                     std::chrono::seconds(10));
  }
  absl::StatusOr<IssueUserTokenResponse> SendUser(const Bytes& spnego,
                                                  const std::string& device_token) {
    iwa::v1::IssueUserTokenRequest request;
    request.set_spnego_token(ToString(spnego));
    request.set_key_thumbprint(thumbprint_);
    request.set_device_token(device_token);
    return rpc::Call(*stub_, &DomainProofService::Stub::IssueUserToken, request,
                     std::chrono::seconds(10));
  }
  Initiator StartDevice(const Credentials& computer) {
    return Initiator::Start(computer, kService,
                            BindingsOf({"IssueDeviceToken", "iwa-1", thumbprint_, {}}))
        .value();
  }
  Initiator StartUser(const Credentials& user, const std::string& device_token) {
    return Initiator::Start(user, kService,
                            BindingsOf({"IssueUserToken", "iwa-1", thumbprint_, device_token}))
        .value();
  }
  absl::StatusOr<IssueDeviceTokenResponse> Device(const Credentials& computer) {
    return SendDevice(StartDevice(computer).token());
  }
  absl::StatusOr<IssueUserTokenResponse> User(const Credentials& user,
                                              const std::string& device_token) {
    return SendUser(StartUser(user, device_token).token(), device_token);
  }

  const SystemClock clock_;
  SystemRandom random_;
  testing::TempFolder folder_;
  throwaway::ThrowawayPki pki_{"acme", SystemClock().Now()};
  FakeOrg registry_;
  std::unique_ptr<rpc::Server> org_;
  std::unique_ptr<simulator::Forests> forest_;
  std::unique_ptr<simulator::LdapServer> ldap_;
  iwa::Config config_;
  std::unique_ptr<iwa::IwaServer> iwa_;
  std::unique_ptr<DomainProofService::Stub> stub_;
  std::string thumbprint_ = pki::PrivateKey::Generate()->public_key().Thumbprint();
};

template <typename T>
std::string Reason(const absl::StatusOr<T>& answer) {
  EXPECT_FALSE(answer.ok());
  return rpc::ReasonName(answer.status());
}

TEST_F(IwaInForestTest, ItsStatusIsForAdministratorsAndForItself) {
  StartIwa();
  const auto ask = [this](const pki::ExportableIdentity& who) {
    const auto stub = iwa::v1::IwaStatusService::NewStub(
        rpc::NewChannel({.address = iwa_->addresses().at(1).second,
                         .server_name = "iwa-1.devicetrust.internal",
                         .trust_pem = pki_.deployment_ca().certificate.Pem(),
                         .identity = rpc::Identity{who.certificate.Pem(), who.key.Pem()}}));
    return rpc::Call(*stub, &iwa::v1::IwaStatusService::Stub::GetStatus,
                     iwa::v1::GetStatusRequest(), std::chrono::seconds(10));
  };
  for (const pki::ExportableIdentity* who : {&pki_.Admin("ada"), &pki_.Component("iwa-1")}) {
    const auto status = ask(*who);
    DT_ASSERT_OK(status);
    EXPECT_EQ(status->name(), "iwa-1");
    EXPECT_TRUE(status->registered());
    EXPECT_EQ(status->refusal(), "");
    ASSERT_EQ(status->keys_size(), 1);
    EXPECT_EQ(status->keys(0).state(), iwa::v1::SIGNING_KEY_STATE_SIGNING);
    ASSERT_EQ(status->domains_size(), 1);
    EXPECT_EQ(status->domains(0).forest(), "corp.test");
  }
  for (const char* other : {"iwa-2", "ca", "gateway-1", "policy"}) {
    EXPECT_EQ(rpc::ReasonName(ask(pki_.Component(other)).status()), "CALLER_NOT_ALLOWED") << other;
  }
}

// What the org compares tells it who has the name.
TEST_F(IwaInForestTest, ARestartIsTheSameStoresAndOneMoreStart) {
  StartIwa();
  const org::v1::Iwa first = registry_.WaitForIwa();
  EXPECT_EQ(first.forest(), "corp.test");
  iwa_.reset();
  registry_.Forget();
  StartIwa();
  const org::v1::Iwa second = registry_.WaitForIwa();
  EXPECT_FALSE(first.store_id().empty());
  EXPECT_EQ(second.store_id(), first.store_id());
  EXPECT_NE(second.process_id(), first.process_id());
  EXPECT_EQ(second.starts(), first.starts() + 1);
  EXPECT_EQ(second.keys(0).kid(), first.keys(0).kid());
}

TEST_F(IwaInForestTest, TwoTicketsBecomeAUserTokenThatTheOrgCanVerify) {
  StartIwa();
  EXPECT_TRUE(iwa_->registered());
  Initiator device_exchange = StartDevice(LogOn("PC1$"));
  const auto device = SendDevice(device_exchange.token());
  DT_ASSERT_OK(device);
  DT_EXPECT_OK(device_exchange.Finish(AsBytes(device->spnego_token())));
  Initiator user_exchange = StartUser(LogOn("alice"), device->device_token());
  const auto user = SendUser(user_exchange.token(), device->device_token());
  DT_ASSERT_OK(user);
  DT_EXPECT_OK(user_exchange.Finish(AsBytes(user->spnego_token())));

  const org::v1::Iwa iwa = registry_.WaitForIwa();
  EXPECT_EQ(iwa.address(), iwa_->addresses().front().second);
  EXPECT_EQ(iwa.spn(), kService);
  ASSERT_EQ(iwa.keys_size(), 1);
  auto [kid, key] = token::FromJwk(iwa.keys(0).jwk()).value();
  EXPECT_EQ(kid, iwa.keys(0).kid());
  token::KeySet keys;
  keys.Add(kid, token::IwaUrn("acme", "iwa-1"), key);
  const auto claims =
      token::VerifyUserToken(user->user_token(), keys, token::CaUrn("acme"), clock_.Now());
  DT_ASSERT_OK(claims);
  EXPECT_EQ(claims->user_name, "alice@CORP.TEST");
  EXPECT_EQ(claims->computer_name, "PC1$");
  EXPECT_TRUE(claims->user_sid.starts_with(DomainSid() + "-"));
  EXPECT_EQ(claims->key_thumbprint, thumbprint_);
}

TEST_F(IwaInForestTest, AnExchangeIsGoodForItsRequestAndOnce) {
  StartIwa();
  const Credentials computer = LogOn("PC1$");
  const Initiator other =
      Initiator::Start(computer, kService,
                       BindingsOf({"IssueDeviceToken", "iwa-2", thumbprint_, {}}))
          .value();
  EXPECT_EQ(Reason(SendDevice(other.token())), "TICKET_NOT_BOUND");
  const Initiator exchange = StartDevice(computer);
  DT_ASSERT_OK(SendDevice(exchange.token()));
  EXPECT_EQ(Reason(SendDevice(exchange.token())), "TICKET_REPLAYED");
}

TEST_F(IwaInForestTest, TheWrongKindOfAccountIsNamed) {
  StartIwa();
  const Credentials computer = LogOn("PC1$");
  EXPECT_EQ(Reason(Device(LogOn("alice"))), "NOT_A_COMPUTER");
  EXPECT_EQ(Reason(User(computer, Device(computer)->device_token())), "NOT_A_USER");
}

// A ticket in hand outlives the account's good standing; the directory has the last word.
TEST_F(IwaInForestTest, ADisabledAccountIsRefusedDespiteItsTicket) {
  StartIwa();
  const Credentials computer = LogOn("PC1$");
  const Credentials user = LogOn("alice");
  const Initiator early = StartDevice(computer);
  const auto device = Device(computer);
  DT_ASSERT_OK(device);
  const Initiator early_user = StartUser(user, device->device_token());
  auto& accounts = forest_->accounts();
  DT_ASSERT_OK(accounts.SetFlag(0, "PC1$", simulator::kDisabled, true));
  DT_ASSERT_OK(accounts.SetFlag(0, "alice", simulator::kDisabled, true));
  EXPECT_EQ(Reason(SendDevice(early.token())), "COMPUTER_DISABLED");
  EXPECT_EQ(Reason(SendUser(early_user.token(), device->device_token())), "USER_DISABLED");
  DT_ASSERT_OK(accounts.SetFlag(0, "PC1$", simulator::kDisabled, false));
  DT_EXPECT_OK(Device(computer));
}

TEST_F(IwaInForestTest, AnAccountThatExpiredSinceItsTicketGetsNoToken) {
  StartIwa();
  const auto device = Device(LogOn("PC1$"));
  DT_ASSERT_OK(device);
  const Initiator early = StartUser(LogOn("alice"), device->device_token());
  auto& accounts = forest_->accounts();
  DT_ASSERT_OK(accounts.SetExpiry(0, "alice", UnixSeconds(clock_.Now())));
  EXPECT_EQ(Reason(SendUser(early.token(), device->device_token())), "ACCOUNT_EXPIRED");
  DT_ASSERT_OK(accounts.SetExpiry(0, "alice", 0));
  const Initiator later = StartUser(LogOn("alice"), device->device_token());
  DT_ASSERT_OK(accounts.Lock(0, "alice"));
  EXPECT_EQ(Reason(SendUser(later.token(), device->device_token())), "ACCOUNT_LOCKED");
}

// RFC 6806: a ticket names its client as the client did at the logon.
TEST_F(IwaInForestTest, TokensNameAccountsAsTheDirectoryDoes) {
  StartIwa();
  const auto log_on_as = [&](const std::string& typed, const std::string& name) {
    return Credentials::FromKey(typed + "@CORP.TEST", forest_->KeyOf(name + "@CORP.TEST").value())
        .value();
  };
  const auto device = Device(log_on_as("pc1$", "PC1$"));
  DT_ASSERT_OK(device);
  const auto user = User(log_on_as("ALICE", "alice"), device->device_token());
  DT_ASSERT_OK(user);
  token::KeySet keys;
  const auto [kid, key] = token::FromJwk(registry_.WaitForIwa().keys(0).jwk()).value();
  keys.Add(kid, token::IwaUrn("acme", "iwa-1"), key);
  const auto claims =
      token::VerifyUserToken(user->user_token(), keys, token::CaUrn("acme"), clock_.Now());
  DT_ASSERT_OK(claims);
  EXPECT_EQ(claims->user_name, "alice@CORP.TEST");
  EXPECT_EQ(claims->computer_name, "PC1$");
}

TEST_F(IwaInForestTest, ARealmThatIsNotServedIsUntrusted) {
  config_.directories[0].domain = "partner.test";
  StartIwa();
  EXPECT_EQ(Reason(Device(LogOn("PC1$"))), "UNTRUSTED_FOREST");
}

// A key distribution center that vouches for accounts of another domain's SID.
TEST_F(IwaInForestTest, ASidOfAnotherDomainIsNoProof) {
  config_.directories[0].domain_sid = "S-1-5-21-1-2-3";
  StartIwa();
  EXPECT_EQ(Reason(Device(LogOn("PC1$"))), "TICKET_INVALID");
}

TEST_F(IwaInForestTest, SurvivesASilentDirectory) {
  StartIwa();
  const Credentials computer = LogOn("PC1$");
  const std::uint16_t port = ldap_->port();
  ldap_.reset();
  const auto refused = Device(computer);
  EXPECT_EQ(Reason(refused), "DOMAIN_CONTROLLER_UNREACHABLE");
  DT_EXPECT_CODE(refused, kUnavailable);
  StartLdap(port);
  DT_EXPECT_OK(Device(computer));
}

// Disk gone or full: no ticket is bad for it, and none is taken without the look for a replay.
TEST_F(IwaInForestTest, ALostReplayCacheIsNoBadTicket) {
  const std::string caches = Path("caches");
  config_.replay_cache = caches + "/iwa.rcache";
  DT_EXPECT_CODE(iwa::IwaServer::Create(config_, clock_, random_), kFailedPrecondition);
  std::filesystem::create_directory(caches);
  StartIwa();
  std::filesystem::remove_all(caches);
  const auto refused = Device(LogOn("PC1$"));
  EXPECT_EQ(Reason(refused), "STORE_UNAVAILABLE");
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_EQ(refused.status().message().find(caches), std::string::npos);
  std::filesystem::create_directory(caches);
  DT_EXPECT_OK(Device(LogOn("PC1$")));
}

TEST_F(IwaInForestTest, KeepsItsKeyOverARestart) {
  StartIwa();
  const Credentials computer = LogOn("PC1$");
  const auto device = Device(computer);
  DT_ASSERT_OK(device);
  const std::string kid = registry_.WaitForIwa().keys(0).kid();
  iwa_.reset();
  StartIwa();
  DT_EXPECT_OK(User(LogOn("alice"), device->device_token()));
  EXPECT_EQ(registry_.WaitForIwa().keys(0).kid(), kid);
}

TEST_F(IwaInForestTest, RegistersWhenTheOrgComesUpLater) {
  const std::string address = org_->address();
  org_.reset();
  StartIwa();
  EXPECT_FALSE(iwa_->registered());
  DT_EXPECT_OK(Device(LogOn("PC1$")));  // It serves all the same.
  StartOrg(address);
  EXPECT_EQ(registry_.WaitForIwa().name(), "iwa-1");
}

TEST_F(IwaInForestTest, RefusesToStartTwiceOrOnATakenPort) {
  StartIwa();
  DT_EXPECT_CODE(iwa::IwaServer::Create(config_, clock_, random_), kFailedPrecondition);
  iwa::Config second = config_;
  second.database = "sqlite:" + Path("second.db");
  second.edge_listen = iwa_->addresses().front().second;
  const auto refused = iwa::IwaServer::Create(second, clock_, random_);
  DT_EXPECT_CODE(refused, kFailedPrecondition);
  EXPECT_NE(std::string(refused.status().message()).find("--edge-listen"), std::string::npos);
}

TEST_F(IwaInForestTest, NoMutationOfAnExchangeIsAcceptedOrDoesHarm) {
  StartIwa();
  const Credentials computer = LogOn("PC1$");
  const Bytes good = StartDevice(computer).token();
  int accepted = 0;
  testing::ForEachMutation(good, 300, 10, [&](const Bytes& bad) {
    // Bits outside of what Kerberos protects (a SPNEGO hint) may change without harm.
    if (SendDevice(bad).ok()) ++accepted;
  });
  EXPECT_LE(accepted, 1);  // More than once is a replay.
  DT_EXPECT_CODE(SendDevice(Bytes(100 * 1024, 0x60)), kResourceExhausted);
  DT_EXPECT_CODE(SendDevice(Bytes(49 * 1024, 0x60)), kInvalidArgument);
  DT_EXPECT_OK(Device(computer));
}

}  // namespace
}  // namespace devicetrust
