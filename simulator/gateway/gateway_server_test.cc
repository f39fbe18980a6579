// The gateway as it ships: real sockets and TLS, an org and a CA behind gRPC that can go away.
#include "simulator/gateway/gateway_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

#include "libs/base/files.h"
#include "libs/base/run_task.h"
#include "libs/http/client.h"
#include "libs/rpc/server.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/throwaway_pki.h"
#include "simulator/gateway/fake_backend.h"

namespace devicetrust::gateway {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class GatewayServerTest : public ::testing::Test {
 protected:
  GatewayServerTest() {
    pki_.Server("org", {"org.localhost"});
    pki_.Server("mtls", {"mtls.localhost", "*.mtls.localhost"});
    pki_.Server("wide", {"*.localhost", "mtls.localhost", "*.mtls.localhost"});
    pki_.Server("more", {"devices.localhost", "*.devices.localhost"});
    pki_.Component("gateway");
    DT_EXPECT_OK(pki_.WriteTo(folder_.path()));
    backend_.SetIssuers({device_ca_});
    config_.org_listen = config_.mtls_listen = "127.0.0.1:0";
    config_.org_cert = folder_ / "org.pem";
    config_.org_key = folder_ / "org.key";
    config_.mtls_cert = folder_ / "mtls.pem";
    config_.mtls_key = folder_ / "mtls.key";
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

  // Until /check says so, or ten seconds.
  bool CheckBecomes(const std::string& part) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
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
  FakeBackend backend_{MakeKeys(clock_.Now())};
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

// A new issuer, then the old one retired, without a restart of the gateway.
TEST_F(GatewayServerTest, FollowsARolloverOfIssuers) {
  StartBackend();
  DT_ASSERT_OK(Start());
  const pki::Identity old_device = device_;
  const pki::Identity next_ca = throwaway::NewCa("Next Certificate Authority", clock_.Now());
  const pki::Identity next_device =
      throwaway::NewDevice("acme", "d-2", "e-2", next_ca, clock_.Now());
  const auto check = [&](const pki::Identity& device, const char* part) {
    device_ = device;
    return CheckBecomes(part);
  };
  EXPECT_TRUE(check(old_device, "\"trusted\":true"));
  // The hint does not name its issuer, so the client keeps the certificate to itself.
  EXPECT_TRUE(check(next_device, "CERTIFICATE_NOT_PRESENTED"));
  backend_.SetIssuers({next_ca, device_ca_});
  EXPECT_TRUE(check(next_device, "\"trusted\":true"));
  EXPECT_TRUE(check(old_device, "\"trusted\":true"));
  backend_.SetIssuers({next_ca});
  EXPECT_TRUE(check(old_device, "CERTIFICATE_NOT_PRESENTED"));
  EXPECT_TRUE(check(next_device, "\"trusted\":true"));
  // Shown against the hint, as no browser does.
  client_ = pki::TlsContext::ForClient(
                {.trusted = {pki_.web_ca().certificate}, .clock = &clock_, .ignores_hint = true})
                .value();
  EXPECT_TRUE(check(old_device, "CERTIFICATE_OF_ANOTHER_CA"));
}

// The answers of one connection to a request before `between` and one after it.
Task<std::vector<int>> AskTwice(http::ClientOptions options, std::function<void()> between) {
  std::vector<int> answers;
  const auto client = co_await http::Client::Connect(std::move(options));
  if (!client.ok()) co_return answers;
  for (int i = 0; i < 2; ++i) {
    http::ClientRequest request;
    request.target = "/saml/metadata";
    const auto answer = co_await (*client)->Send(std::move(request));
    answers.push_back(answer.ok() ? answer->status : 0);
    if (i == 0) between();
  }
  co_return answers;
}

// Certificates and keys are replaced as files are: a connection that is open goes on.
TEST_F(GatewayServerTest, ShowsNewCertificatesWithoutDroppingAConnection) {
  StartBackend();
  DT_ASSERT_OK(Start());
  EXPECT_THAT(Check(), HasSubstr("\"trusted\":true"));
  // Of another CA, so that who trusts that one alone sees the change.
  throwaway::ThrowawayPki next("acme", clock_.Now());
  next.Server("org", {"org.localhost"});
  next.Server("mtls", {"mtls.localhost", "*.mtls.localhost"});
  const testing::TempFolder folder;
  DT_ASSERT_OK(next.WriteTo(folder.path()));
  const auto replace = [&](const std::string& file) {
    const std::string text = ReadFile(folder / file).value();
    DT_ASSERT_OK(WriteFileAtomically(folder_ / file, text));
  };
  const pki::TlsContext before = std::exchange(
      client_,
      pki::TlsContext::ForClient({.trusted = {next.web_ca().certificate}, .clock = &clock_})
          .value());
  const auto change = [&] {
    // The certificate before its key, as an operator may: what does not fit changes nothing.
    replace("org.pem");
    gateway_->Reload();
    DT_EXPECT_CODE(Get("org", "org.localhost", "/saml/metadata"), kUnauthenticated);
    for (const char* file : {"org.key", "mtls.pem", "mtls.key"}) replace(file);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!Get("org", "org.localhost", "/saml/metadata").ok() &&
           std::chrono::steady_clock::now() < end) {
    }
    EXPECT_EQ(Get("org", "org.localhost", "/saml/metadata")->status, 200);
    EXPECT_TRUE(CheckBecomes("\"trusted\":true"));
    // Who signs the servers that agents call is in no handshake: it is told.
    const std::string bundle = JsonQuote(next.web_ca().certificate.Pem());
    replace("web-ca.pem");
    const auto told = [&] {
      return Get("org", "org.localhost", "/.well-known/device-trust")->body.find(bundle) !=
             std::string::npos;
    };
    while (!told() && std::chrono::steady_clock::now() < end) {
    }
    EXPECT_TRUE(told());
  };
  EXPECT_EQ(RunTask(AskTwice({.address = gateway_->addresses().front().second,
                              .host = "org.localhost",
                              .tls = &before},
                             change)),
            (std::vector<int>{200, 200}));

  // Issuers that come later meet the new certificate.
  backend_.SetIssuers({throwaway::NewCa("Next Certificate Authority", clock_.Now())});
  EXPECT_TRUE(CheckBecomes("CERTIFICATE_NOT_PRESENTED"));
}

TEST_F(GatewayServerTest, ServesSeveralNamesEachWithItsCertificate) {
  StartBackend();
  config_.mtls_also = {
      fmt::format("Devices.localhost={},{}", folder_ / "more.pem", folder_ / "more.key")};
  for (const char* way : {"plain", "quick"}) {
    config_.tls = way;
    DT_ASSERT_OK(Start());
    // Fetch() looks for the name in the certificate.
    for (const char* host :
         {"mtls.localhost", "x.mtls.localhost", "devices.localhost", "x.devices.localhost"}) {
      const auto answer = Get("mtls", host, "/check", &device_);
      DT_ASSERT_OK(answer);
      EXPECT_THAT(answer->body, HasSubstr("\"trusted\":true")) << way << " " << host;
    }
    DT_EXPECT_CODE(Get("mtls", "other.localhost", "/check"), kUnauthenticated);
  }
  config_.mtls_also[0] =
      fmt::format("devices.localhost={},{}", folder_ / "mtls.pem", folder_ / "mtls.key");
  EXPECT_THAT(std::string(CheckConfig(config_).message()),
              HasSubstr("is not a certificate for *.devices.localhost"));
  for (const char* wrong : {"devices.localhost", "devices.localhost=a", "=a,b", "x=a,", "x=,b"}) {
    config_.mtls_also[0] = wrong;
    EXPECT_THAT(std::string(CheckConfig(config_).message()), HasSubstr("is not NAME=CERT,KEY"));
  }
  config_.mtls_also[0] =
      fmt::format("org.localhost={},{}", folder_ / "org.pem", folder_ / "org.key");
  EXPECT_THAT(std::string(CheckConfig(config_).message()), HasSubstr("already"));
}

// Each way through OpenSSL serves the same.
TEST_F(GatewayServerTest, ServesByEveryWayThroughOpenssl) {
  StartBackend();
  for (const char* way : {"plain", "shared", "quick"}) {
    config_.tls = way;
    DT_ASSERT_OK(Start());
    EXPECT_THAT(Check(), HasSubstr("\"trusted\":true")) << way;
    EXPECT_EQ(Get("org", "org.localhost", "/saml/metadata")->status, 200) << way;
  }
}

TEST_F(GatewayServerTest, WithoutIssuersServesTheOrgHostAndTrustsNobody) {
  backend_.SetIssuers({});
  StartBackend();
  DT_ASSERT_OK(Start());
  EXPECT_EQ(Get("org", "org.localhost", "/saml/metadata")->status, 200);
  EXPECT_EQ(Get("org", "org.localhost", "/.well-known/device-trust")->status, 503);
  EXPECT_THAT(Check(), HasSubstr("REVOCATION_DATA_STALE"));
  EXPECT_FALSE(gateway_->WaitUntilReady(milliseconds{0}));
  backend_.SetIssuers({device_ca_});
  EXPECT_TRUE(CheckBecomes("\"trusted\":true"));
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

TEST_F(GatewayServerTest, WhatCannotBeReadGetsAPageWithAWayOn) {
  StartBackend();
  DT_ASSERT_OK(Start());
  const auto org = Get("org", "org.localhost", "/a#b");
  DT_ASSERT_OK(org);
  EXPECT_EQ(org->status, 400);
  EXPECT_THAT(org->body, HasSubstr("sign-in page</a>"));
  EXPECT_THAT(org->body, HasSubstr("an octet in the target that must be escaped"));
  const auto mtls = Get("mtls", "abc.mtls.localhost", "/a#b", &device_);
  DT_ASSERT_OK(mtls);
  EXPECT_THAT(mtls->body, HasSubstr("<a href=\"https://org.localhost:"));
  EXPECT_EQ(Get("org", "org.localhost", "/" + std::string(40'000, 'a'))->status, 414);
}

TEST_F(GatewayServerTest, TakesAHostWithADotAndAQueryAsBrowsersWriteIt) {
  StartBackend();
  DT_ASSERT_OK(Start());
  http::ClientRequest request;
  request.target = "/saml/metadata?a=[b]";
  request.fields.Set("host", "org.localhost.");
  const auto answer = RunTask(http::Fetch(
      {.address = gateway_->addresses().front().second, .host = "org.localhost", .tls = &client_},
      std::move(request)));
  DT_ASSERT_OK(answer);
  EXPECT_EQ(answer->status, 200);
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
  const auto message = [&] { return std::string(CheckConfig(config_).message()); };
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
