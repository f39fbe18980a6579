#include "agent/network_services.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/iwa/v1/iwa.grpc.pb.h"
#include "libs/http/server.h"
#include "libs/rpc/error.h"
#include "libs/rpc/server.h"
#include "libs/rpc/status.h"
#include "libs/testing/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::agent {
namespace {

class EchoIwa final : public iwa::v1::DomainProofService::Service {
 public:
  grpc::Status IssueDeviceToken(grpc::ServerContext*,
                                const iwa::v1::IssueDeviceTokenRequest* request,
                                iwa::v1::IssueDeviceTokenResponse* response) override {
    response->set_device_token("device for " + request->key_thumbprint());
    response->set_spnego_token("re:" + request->spnego_token());
    return grpc::Status::OK;
  }
  grpc::Status IssueUserToken(grpc::ServerContext*, const iwa::v1::IssueUserTokenRequest* request,
                              iwa::v1::IssueUserTokenResponse*) override {
    return rpc::ToGrpc(rpc::MakeError(absl::StatusCode::kPermissionDenied,
                                      reason::v1::REASON_USER_DISABLED, "no",
                                      request->device_token(), "Enable them."));
  }
};

class EchoCa final : public ca::v1::EnrollmentService::Service {
 public:
  grpc::Status Enroll(grpc::ServerContext*, const ca::v1::EnrollRequest* request,
                      ca::v1::EnrollResponse* response) override {
    response->set_certificate_der(request->csr_der());
    response->add_chain_der(request->user_token() == "of a broken CA" ? "nonsense" : issuer);
    if (request->forced()) {  // An echo of what is said about the certificate to renew.
      const auto serial = std::stoll(request->renews(), nullptr, 16);
      response->mutable_renew_from()->set_seconds(serial);
      response->mutable_renew_until()->set_seconds(serial + 1);
    }
    return grpc::Status::OK;
  }

  std::string issuer;  // DER.
};

Task<http::Response> Answer(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  co_return response;
}

class NetworkServicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const pki::ExportableIdentity& edge = pki_.Server("edge", {"localhost"});
    rpc::ListenerConfig listener;
    listener.name = "edge";
    listener.flag = "--edge-listen";
    listener.listen = "127.0.0.1:0";
    listener.identity = {edge.certificate.Pem(), edge.key.Pem()};
    const std::vector<rpc::MethodAccess> access = {
        {"devicetrust.iwa.v1.DomainProofService.IssueDeviceToken", {rpc::kAnyone}},
        {"devicetrust.iwa.v1.DomainProofService.IssueUserToken", {rpc::kAnyone}},
        {"devicetrust.ca.v1.EnrollmentService.Enroll", {rpc::kAnyone}}};
    auto server = rpc::Server::Start(listener, {&iwa_, &ca_}, access);
    DT_ASSERT_OK(server);
    edge_ = *std::move(server);
    discovery_ = {"acme",
                  {{"iwa-1", edge_->address(), "HTTP/iwa.corp.test", {}, true}},
                  edge_->address(),
                  pki_.web_ca().certificate.Pem()};
    StartOrg(200, fmt::format(R"({{"org":"acme","iwas":[],"ca_address":"{}","ca_bundle":"PEM"}})",
                              edge_->address()));
  }

  void StartOrg(int status, const std::string& body) {
    org_.reset();
    auto tls = pki::TlsContext::ForServer({pki_.Server("org", {"org.localhost"})});
    DT_ASSERT_OK(tls);
    http::ServerConfig config;
    config.clock = &clock_;
    http::ListenerConfig listener;
    listener.address = "127.0.0.1:0";
    listener.flag = "--org-listen";
    listener.tls = std::make_shared<const pki::TlsContext>(*std::move(tls));
    listener.handler = [this, status, body](const http::Request& request) {
      ++fetches_;
      EXPECT_EQ(request.path, kDiscoveryPath);
      return Answer(status, body);
    };
    config.listeners.push_back(std::move(listener));
    auto org = http::Server::Start(std::move(config));
    DT_ASSERT_OK(org);
    org_ = *std::move(org);
    url_ = fmt::format("https://org.localhost:{}", org_->endpoint(0).port());
  }

  NetworkConfig Config() const {
    NetworkConfig config;
    config.org_trust_pem = pki_.web_ca().certificate.Pem();
    return config;
  }

  SystemClock clock_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  EchoIwa iwa_;
  EchoCa ca_;
  std::unique_ptr<rpc::Server> edge_;
  std::unique_ptr<http::Server> org_;
  std::atomic<int> fetches_ = 0;
  std::string url_;
  Discovery discovery_;
};

TEST_F(NetworkServicesTest, TheOrgsDocumentIsFetchedAndKept) {
  NetworkConfig config = Config();
  NetworkServices each(config, clock_);
  const auto discovery = each.Discover(url_);
  DT_ASSERT_OK(discovery);
  EXPECT_EQ((*discovery)->ca_address, edge_->address());
  DT_EXPECT_OK(each.Discover(url_));
  EXPECT_EQ(fetches_, 2);
  config.discovery_kept = std::chrono::hours(1);
  NetworkServices keeps(config, clock_);
  DT_EXPECT_OK(keeps.Discover(url_));
  DT_EXPECT_OK(keeps.Discover(url_));
  EXPECT_EQ(fetches_, 3);
}

TEST_F(NetworkServicesTest, AnOrgThatIsNotOursIsRefused) {
  NetworkConfig config = Config();
  config.org_trust_pem = throwaway::NewCa("other", clock_.Now()).certificate.Pem();
  NetworkServices services(config, clock_);
  DT_EXPECT_CODE(services.Discover(url_), kUnauthenticated);
  EXPECT_EQ(fetches_, 0);
  DT_EXPECT_CODE(services.Discover("http://org.localhost:1"), kInvalidArgument);
  DT_EXPECT_CODE(services.Discover("nonsense"), kInvalidArgument);
}

TEST_F(NetworkServicesTest, ABadAnswerOrNoneIsTold) {
  NetworkServices services(Config(), clock_);
  StartOrg(503, "later");
  DT_EXPECT_CODE(services.Discover(url_), kUnavailable);
  StartOrg(200, "<html>");
  DT_EXPECT_CODE(services.Discover(url_), kInvalidArgument);
  org_.reset();
  DT_EXPECT_CODE(services.Discover(url_), kUnavailable);
}

TEST_F(NetworkServicesTest, CallsCrossWithTheirReasons) {
  NetworkServices services(Config(), clock_);
  const auto device =
      services.IssueDeviceToken(discovery_, discovery_.iwas[0], {'s', 0, 'p'}, "jkt");
  DT_ASSERT_OK(device);
  EXPECT_EQ(device->token, "device for jkt");
  EXPECT_EQ(device->spnego_reply, (Bytes{'r', 'e', ':', 's', 0, 'p'}));
  const auto user =
      services.IssueUserToken(discovery_, discovery_.iwas[0], {'s'}, "jkt", "the token");
  EXPECT_EQ(rpc::ReasonOf(user.status()), reason::v1::REASON_USER_DISABLED);
  EXPECT_EQ(rpc::DetailOf(user.status())->subject(), "the token");
  ca_.issuer = ToString(pki_.web_ca().certificate.der());
  for (int i = 0; i < 2; ++i) {  // The second time out of memory.
    const auto certificate = services.Enroll(discovery_, "token", {1, 2, 3}, {"0a0b", true});
    DT_ASSERT_OK(certificate);
    EXPECT_EQ(certificate->certificate_der, (Bytes{1, 2, 3}));
    ASSERT_TRUE(certificate->renewal);
    EXPECT_EQ(UnixSeconds(certificate->renewal->from), 0x0a0b);
    EXPECT_EQ(UnixSeconds(certificate->renewal->until), 0x0a0c);
    ASSERT_EQ(certificate->issuers.size(), 1u);
    EXPECT_EQ(ToString(certificate->issuers[0].der()), ca_.issuer);
  }
  DT_EXPECT_CODE(services.Enroll(discovery_, "of a broken CA", {1, 2, 3}, {}), kInternal);
}

TEST_F(NetworkServicesTest, AServerOfAnotherCaOrNoneIsUnavailable) {
  NetworkConfig config = Config();
  config.call_timeout = std::chrono::milliseconds(500);
  NetworkServices services(config, clock_);
  Discovery foreign = discovery_;
  foreign.ca_bundle = throwaway::NewCa("other", clock_.Now()).certificate.Pem();
  EXPECT_FALSE(services.Enroll(foreign, "token", {1}, {}).ok());
  edge_->Stop();
  const auto gone = services.Enroll(discovery_, "token", {1}, {});
  EXPECT_TRUE(absl::IsUnavailable(gone.status()) || absl::IsDeadlineExceeded(gone.status()))
      << gone.status();
}

}  // namespace
}  // namespace devicetrust::agent
