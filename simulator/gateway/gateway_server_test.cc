// The gateway as it ships: real sockets and TLS, an org and a CA behind gRPC that can go away.
#include "simulator/gateway/gateway_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/base/files.h"
#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "libs/rpc/server.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Answers the feeds; heartbeats every few milliseconds.
class Backend final : public org::v1::GatewayKeyService::Service,
                      public org::v1::SessionFeedService::Service,
                      public org::v1::AppService::Service,
                      public org::v1::IwaRegistryService::Service,
                      public ca::v1::RevocationFeedService::Service,
                      public ca::v1::IssuerService::Service {
 public:
  explicit Backend(org::v1::GetGatewayKeysResponse keys) : keys_(std::move(keys)) {}

  grpc::Status GetGatewayKeys(grpc::ServerContext*, const org::v1::GetGatewayKeysRequest*,
                              org::v1::GetGatewayKeysResponse* keys) override {
    *keys = keys_;
    return grpc::Status::OK;
  }
  grpc::Status ListApps(grpc::ServerContext*, const org::v1::ListAppsRequest*,
                        org::v1::ListAppsResponse* apps) override {
    apps->set_version(1);
    return grpc::Status::OK;
  }
  grpc::Status ListIwas(grpc::ServerContext*, const org::v1::ListIwasRequest*,
                        org::v1::ListIwasResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status GetIssuers(grpc::ServerContext*, const ca::v1::GetIssuersRequest*,
                          ca::v1::GetIssuersResponse* issuers) override {
    issuers->set_edge_address("127.0.0.1:7401");
    return grpc::Status::OK;
  }
  grpc::Status WatchSessions(grpc::ServerContext* context, const org::v1::WatchSessionsRequest*,
                             grpc::ServerWriter<org::v1::WatchSessionsResponse>* writer) override {
    while (!context->IsCancelled() && writer->Write(org::v1::WatchSessionsResponse())) Wait();
    return grpc::Status::OK;
  }
  grpc::Status WatchRevocations(
      grpc::ServerContext* context, const ca::v1::WatchRevocationsRequest* request,
      grpc::ServerWriter<ca::v1::WatchRevocationsResponse>* writer) override {
    last_after = request->after_sequence();
    std::int64_t sent = request->after_sequence();
    while (!context->IsCancelled()) {
      ca::v1::WatchRevocationsResponse message;
      {
        const std::lock_guard lock(mutex_);
        for (; sent < static_cast<std::int64_t>(revoked_.size()); ++sent) {
          message.add_revocations()->set_serial(revoked_[static_cast<std::size_t>(sent)]);
        }
      }
      message.set_sequence(sent);
      if (!writer->Write(message)) break;
      Wait();
    }
    return grpc::Status::OK;
  }

  void Revoke(const std::string& serial) {
    const std::lock_guard lock(mutex_);
    revoked_.push_back(serial);
    changed_.notify_all();
  }

  std::atomic<std::int64_t> last_after{-1};

 private:
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, milliseconds{10});
  }

  const org::v1::GetGatewayKeysResponse keys_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> revoked_;  // In the order of their sequence numbers, from 1.
};

org::v1::GetGatewayKeysResponse MakeKeys(WallTime now) {
  org::v1::GetGatewayKeysResponse keys;
  keys.add_cookie_keys()->set_kid("c1");
  keys.mutable_cookie_keys(0)->set_key(std::string(32, 'k'));
  keys.add_proof_keys()->set_kid("p1");
  keys.mutable_proof_keys(0)->set_private_key_pem(pki::PrivateKey::Generate().value().Pem());
  const pki::PrivateKey rsa = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  keys.add_saml_keys()->set_private_key_pem(rsa.Pem());
  keys.mutable_saml_keys(0)->set_certificate_pem(
      pki::SignSelf({.common_name = "org",
                     .serial_hex = "01",
                     .usage = pki::Usage::kCa,
                     .not_before = now,
                     .not_after = now + std::chrono::hours{1}},
                    rsa)
          .value()
          .Pem());
  return keys;
}

class GatewayServerTest : public ::testing::Test {
 protected:
  GatewayServerTest() {
    pki_.Server("org", {"org.localhost"});
    pki_.Server("mtls", {"mtls.localhost", "*.mtls.localhost"});
    pki_.Server("wide", {"*.localhost", "mtls.localhost", "*.mtls.localhost"});
    pki_.Component("gateway");
    DT_EXPECT_OK(pki_.WriteTo(folder_.path()));
    DT_EXPECT_OK(WriteFileAtomically(folder_ / "device-ca.pem", device_ca_.certificate.Pem()));
    config_.org_listen = config_.mtls_listen = "127.0.0.1:0";
    config_.org_cert = folder_ / "org.pem";
    config_.org_key = folder_ / "org.key";
    config_.mtls_cert = folder_ / "mtls.pem";
    config_.mtls_key = folder_ / "mtls.key";
    config_.device_ca = folder_ / "device-ca.pem";
    config_.edge_ca_bundle = folder_ / "web-ca.pem";
    config_.internal_cert = folder_ / "gateway.pem";
    config_.internal_key = folder_ / "gateway.key";
    config_.deployment_ca = folder_ / "deployment-ca.pem";
    config_.threads = 2;
    config_.revocation_age_max_ms = 1000;
  }

  // One server plays both parts.
  void StartBackend(const std::string& address = "127.0.0.1:0") {
    const pki::ExportableIdentity& identity = pki_.Component("policy");
    std::vector<rpc::MethodAccess> access;
    for (const char* method :
         {"org.v1.GatewayKeyService.GetGatewayKeys", "org.v1.SessionFeedService.WatchSessions",
          "org.v1.AppService.ListApps", "org.v1.IwaRegistryService.ListIwas",
          "ca.v1.IssuerService.GetIssuers", "ca.v1.RevocationFeedService.WatchRevocations"}) {
      access.push_back({fmt::format("devicetrust.{}", method), {"gateway"}});
    }
    rpc_ = rpc::Server::Start({.name = "internal",
                               .flag = "--internal-listen",
                               .listen = address,
                               .identity = {identity.certificate.Pem(), identity.key.Pem()},
                               .client_ca_pem = pki_.deployment_ca().certificate.Pem(),
                               .org = "acme"},
                              {static_cast<org::v1::GatewayKeyService::Service*>(&backend_),
                               static_cast<org::v1::SessionFeedService::Service*>(&backend_),
                               static_cast<org::v1::AppService::Service*>(&backend_),
                               static_cast<org::v1::IwaRegistryService::Service*>(&backend_),
                               static_cast<ca::v1::RevocationFeedService::Service*>(&backend_),
                               static_cast<ca::v1::IssuerService::Service*>(&backend_)},
                              access)
               .value();
    config_.org_address = config_.ca_address = rpc_->address();
    config_.ca_server_name = config_.org_server_name;
  }

  absl::Status Start() {
    auto gateway = GatewayServer::Create(config_, clock_, random_);
    if (!gateway.ok()) return gateway.status();
    gateway_ = *std::move(gateway);
    return absl::OkStatus();
  }

  absl::StatusOr<http::ParsedResponse> Get(std::string_view listener, const std::string& host,
                                           const std::string& target,
                                           const pki::Identity* identity = nullptr) {
    std::string address;
    for (const auto& [name, bound] : gateway_->addresses()) {
      if (name == listener) address = bound;
    }
    http::ClientRequest request;
    request.target = target;
    return RunTask(
        http::Fetch({.address = address, .host = host, .tls = &client_, .identity = identity},
                    std::move(request)));
  }

  std::string Check() {
    const auto response = Get("mtls", "mtls.localhost", "/check", &device_);
    return response.ok() ? response->body : std::string(response.status().message());
  }

  // Until /check says so, or two seconds.
  bool CheckBecomes(const std::string& part) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    while (std::chrono::steady_clock::now() < end) {
      if (Check().find(part) != std::string::npos) return true;
    }
    return false;
  }

  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  pki::Identity device_ca_ = throwaway::NewCa("MTLS Certificate Authority", clock_.Now());
  pki::Identity device_ = throwaway::NewDevice("acme", "d-1", "e-1", device_ca_, clock_.Now());
  pki::TlsContext client_ =
      pki::TlsContext::ForClient({.trusted = {pki_.web_ca().certificate}, .clock = &clock_})
          .value();
  Config config_;
  Backend backend_{MakeKeys(clock_.Now())};
  std::unique_ptr<rpc::Server> rpc_;
  std::unique_ptr<GatewayServer> gateway_;
};

TEST_F(GatewayServerTest, SeesARevocationAtOnceAndTrustsNobodyWhileBlind) {
  StartBackend();
  DT_ASSERT_OK(Start());
  EXPECT_THAT(Check(), HasSubstr("\"trusted\":true"));
  backend_.Revoke("0a");
  backend_.Revoke(device_.certificate.serial_hex());
  EXPECT_TRUE(CheckBecomes("CERTIFICATE_REVOKED"));
  device_ = throwaway::NewDevice("acme", "d-2", "e-2", device_ca_, clock_.Now());
  EXPECT_THAT(Check(), HasSubstr("\"trusted\":true"));

  // Both streams end: after the bound nobody is trusted; when they are back, as before, and
  // the stream goes on where it stood.
  const std::string address = rpc_->address();
  rpc_->Stop(milliseconds{0});
  rpc_.reset();
  EXPECT_TRUE(CheckBecomes("REVOCATION_DATA_STALE"));
  StartBackend(address);
  EXPECT_TRUE(CheckBecomes("\"trusted\":true"));
  EXPECT_EQ(backend_.last_after, 2);
}

TEST_F(GatewayServerTest, ServesItsHostsAndNoOther) {
  StartBackend();
  DT_ASSERT_OK(Start());
  EXPECT_EQ(Get("org", "org.localhost", "/saml/metadata")->status, 200);
  EXPECT_EQ(Get("org", "org.localhost", "/.well-known/device-trust")->status, 200);
  EXPECT_EQ(Get("org", "ORG.localhost", "/saml/metadata")->status, 200);
  EXPECT_EQ(Get("org", "org.localhost", "/check")->status, 404);
  EXPECT_EQ(Get("mtls", "abc.mtls.localhost", "/check", &device_)->status, 200);
  EXPECT_EQ(Get("mtls", "abc.mtls.localhost", "/signin")->status, 404);
  DT_EXPECT_CODE(Get("mtls", "org.localhost", "/"), kUnauthenticated);  // Not its certificate.
}

TEST_F(GatewayServerTest, LeavesPopupsToTheirOpeners) {
  StartBackend();
  DT_ASSERT_OK(Start());
  for (const char* target : {"/", "/proof?t=x", "/nothing"}) {
    const auto response = Get("org", "org.localhost", target);
    DT_ASSERT_OK(response);
    EXPECT_EQ(response->fields.Find("cross-origin-opener-policy"), "unsafe-none") << target;
    EXPECT_EQ(response->fields.Count("cross-origin-opener-policy"), 1U) << target;
    for (const char* name : {"content-security-policy", "x-content-type-options", "cache-control",
                             "cross-origin-resource-policy", "strict-transport-security"}) {
      EXPECT_EQ(response->fields.Count(name), 1U) << target << " " << name;
    }
  }
  EXPECT_EQ(Get("mtls", "mtls.localhost", "/challenge")->fields.Find("cross-origin-opener-policy"),
            "unsafe-none");
}

TEST_F(GatewayServerTest, StartsWithoutTheOrgAndServesWhenItComes) {
  StartBackend();
  const std::string address = rpc_->address();
  rpc_->Stop(milliseconds{0});
  rpc_.reset();
  DT_ASSERT_OK(Start());
  EXPECT_EQ(Get("org", "org.localhost", "/")->status, 503);
  EXPECT_THAT(Check(), HasSubstr("REVOCATION_DATA_STALE"));
  StartBackend(address);
  EXPECT_TRUE(gateway_->WaitUntilReady(std::chrono::seconds{10}));
  EXPECT_EQ(Get("org", "org.localhost", "/")->status, 303);
}

TEST_F(GatewayServerTest, NamesWhatIsWrong) {
  const auto message = [&] { return std::string(CheckConfig(config_, clock_).message()); };
  EXPECT_EQ(message(), "");
  const Config good = config_;
  config_.org_listen = "8443";
  EXPECT_THAT(message(), HasSubstr("--org-listen"));
  config_ = good;
  config_.org_cert = folder_ / "none.pem";
  EXPECT_THAT(message(), HasSubstr("none.pem"));
  config_ = good;
  config_.mtls_cert = folder_ / "wide.pem";
  config_.mtls_key = folder_ / "wide.key";
  EXPECT_THAT(message(), HasSubstr("a certificate of their own"));
  config_ = good;
  config_.org_host = "other.localhost";
  EXPECT_THAT(message(), HasSubstr("--org-cert is not a certificate for other.localhost"));
  config_ = good;
  config_.mtls_key = folder_ / "org.key";
  EXPECT_THAT(message(), HasSubstr("--mtls-cert and --mtls-key"));
  config_ = good;
  config_.device_ca = folder_ / "org.pem";
  EXPECT_THAT(message(), HasSubstr("--device-ca"));
}

TEST_F(GatewayServerTest, SaysWhoHoldsThePort) {
  StartBackend();
  DT_ASSERT_OK(Start());
  config_.mtls_listen = gateway_->addresses()[1].second;
  const auto second = GatewayServer::Create(config_, clock_, random_);
  DT_EXPECT_CODE(second, kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--mtls-listen"));
}

}  // namespace
}  // namespace devicetrust::gateway
