// The whole dt-ca over real sockets and TLS, against the org of ca_fixture.h.
#include "ca-service/ca_server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

#include "ca-service/ca_fixture.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "devicetrust/org/v1/enrollment.grpc.pb.h"
#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/sealed_file.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/server.h"
#include "libs/rpc/status.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::ca {
namespace {

using rpc::Call;
using v1::CertificateAdminService;
using v1::EnrollmentService;
using v1::IssuerService;
using v1::RevocationFeedService;

template <typename Response>
grpc::Status Answer(absl::StatusOr<Response> result, Response* response) {
  if (!result.ok()) return rpc::ToGrpc(result.status());
  *response = *std::move(result);
  return grpc::Status::OK;
}

// The gRPC services of a FakeOrg: this and the next two.
class AuthorityService final : public org::v1::EnrollmentService::Service {
 public:
  explicit AuthorityService(OrgClient& org) : org_(org) {}
  grpc::Status AuthorizeEnrollments(grpc::ServerContext* /*context*/,
                                    const org::v1::AuthorizeEnrollmentsRequest* request,
                                    org::v1::AuthorizeEnrollmentsResponse* response) override {
    for (const org::v1::EnrollmentRequest& enrollment : request->enrollments()) {
      org::v1::EnrollmentResult& result = *response->add_results();
      auto authorized = org_.AuthorizeEnrollment(enrollment);
      if (authorized.ok()) {
        *result.mutable_authorized() = *std::move(authorized);
      } else {
        *result.mutable_refused() = rpc::ToMessage(authorized.status());
      }
    }
    return grpc::Status::OK;
  }

 private:
  OrgClient& org_;
};

class RegistryService final : public org::v1::IwaRegistryService::Service {
 public:
  explicit RegistryService(OrgClient& org) : org_(org) {}
  grpc::Status ListIwas(grpc::ServerContext* /*context*/,
                        const org::v1::ListIwasRequest* /*request*/,
                        org::v1::ListIwasResponse* response) override {
    return Answer(org_.ListIwas(), response);
  }

 private:
  OrgClient& org_;
};

class LogService final : public org::v1::SystemLogService::Service {
 public:
  explicit LogService(OrgClient& org) : org_(org) {}
  grpc::Status AppendEvents(grpc::ServerContext* /*context*/,
                            const org::v1::AppendEventsRequest* request,
                            org::v1::AppendEventsResponse* /*response*/) override {
    return rpc::ToGrpc(org_.Append(*request));
  }

 private:
  OrgClient& org_;
};

class CaServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pki_.Component("ca");
    pki_.Server("edge", {"ca.test"});
    DT_ASSERT_OK(pki_.WriteTo(folder_.path()));
    DT_ASSERT_OK(pki::WriteKeyEncryptionKey(Path("kek"), random_));
    StartOrg("127.0.0.1:0");

    config_.database = "sqlite:" + Path("ca.db");
    config_.kek_file = Path("kek");
    config_.edge_cert = Path("edge.pem");
    config_.edge_key = Path("edge.key");
    config_.internal_cert = Path("ca.pem");
    config_.internal_key = Path("ca.key");
    config_.deployment_ca = Path("deployment-ca.pem");
    config_.edge_listen = config_.internal_listen = config_.http_listen = "127.0.0.1:0";
    config_.org_address = org_server_->address();
    config_.account_calls_per_minute = 1'000'000;  // One computer asks until the org is back.
  }

  void StartOrg(const std::string& listen) {
    const std::string package = "devicetrust.org.v1.";
    org_server_ = rpc::Server::Start({.name = "org",
                                      .flag = "--internal-listen",
                                      .listen = listen,
                                      .identity = Pem(pki_.Component("policy")),
                                      .client_ca_pem = DeploymentCa(),
                                      .org = "acme"},
                                     {&authority_, &registry_, &log_},
                                     {{package + "EnrollmentService.AuthorizeEnrollments", {"ca"}},
                                      {package + "IwaRegistryService.ListIwas", {"ca"}},
                                      {package + "SystemLogService.AppendEvents", {"ca"}}})
                      .value();
  }
  void Start() {
    auto server = CaServer::Create(config_, clock_, random_);
    DT_ASSERT_OK(server);
    server_ = *std::move(server);
    const Addresses bound = server_->addresses();
    addresses_ = {bound.begin(), bound.end()};
    edge_ =
        EnrollmentService::NewStub(rpc::NewChannel({.address = addresses_["edge"],
                                                    .server_name = "ca.test",
                                                    .trust_pem = pki_.web_ca().certificate.Pem(),
                                                    .identity = std::nullopt}));
  }

  static rpc::Identity Pem(const pki::ExportableIdentity& identity) {
    return {identity.certificate.Pem(), identity.key.Pem()};
  }
  std::string DeploymentCa() const { return pki_.deployment_ca().certificate.Pem(); }
  std::string Path(const std::string& name) const { return folder_ / name; }
  std::shared_ptr<grpc::Channel> Internal(const pki::ExportableIdentity& identity) {
    return rpc::NewChannel({.address = addresses_["internal"],
                            .server_name = "ca.devicetrust.internal",
                            .trust_pem = DeploymentCa(),
                            .identity = Pem(identity)});
  }
  std::unique_ptr<CertificateAdminService::Stub> As(const pki::ExportableIdentity& identity) {
    return CertificateAdminService::NewStub(Internal(identity));
  }
  v1::EnrollRequest NewRequest() {
    const auto key = pki::PrivateKey::Generate().value();
    const token::UserToken token = AliceToken(key, clock_.Now(), random_);
    v1::EnrollRequest request;
    request.set_user_token(token::Sign(token, iwa_key_).value());
    request.set_csr_der(ToString(pki::BuildCsr("x", key).value()));
    return request;
  }
  absl::StatusOr<v1::EnrollResponse> Enroll(const v1::EnrollRequest& request) {
    return rpc::Call(*edge_, &EnrollmentService::Stub::Enroll, request, std::chrono::seconds(5));
  }
  // The answer to a plain HTTP GET.
  std::string Ask(const std::string& path, const std::string& fields = "") {
    namespace asio = boost::asio;
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    const HostPort address = ParseHostPort(addresses_["http"], "http").value();
    socket.connect(
        {asio::ip::make_address(address.host), static_cast<std::uint16_t>(address.port)});
    asio::write(socket, asio::buffer("GET " + path + " HTTP/1.1\r\nHost: " + addresses_["http"] +
                                     "\r\n" + fields + "Connection: close\r\n\r\n"));
    std::string answer;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(answer), end);
    return answer;
  }
  // The body of a good answer; else empty.
  std::string Get(const std::string& path) {
    const std::string answer = Ask(path);
    if (!answer.starts_with("HTTP/1.1 200 ")) return {};
    return answer.substr(answer.find("\r\n\r\n") + 4);
  }
  static bool Shell(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }

  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  throwaway::ThrowawayPki pki_{"acme", clock_.Now()};
  token::SigningKey iwa_key_{"k1", pki::PrivateKey::Generate().value()};
  FakeOrg org_{iwa_key_};
  AuthorityService authority_{org_};
  RegistryService registry_{org_};
  LogService log_{org_};
  std::unique_ptr<rpc::Server> org_server_;
  Config config_;
  std::unique_ptr<CaServer> server_;
  std::map<std::string, std::string> addresses_;
  std::unique_ptr<EnrollmentService::Stub> edge_;
};

TEST_F(CaServerTest, EnrollsRevokesAndPublishesForIndependentTools) {
  Start();
  const auto enrolled = Enroll(NewRequest());
  DT_ASSERT_OK(enrolled);
  ASSERT_EQ(enrolled->chain_der_size(), 2);
  const auto leaf = pki::Certificate::FromDer(AsBytes(enrolled->certificate_der())).value();
  const auto issuing = pki::Certificate::FromDer(AsBytes(enrolled->chain_der(0))).value();
  const auto root = pki::Certificate::FromDer(AsBytes(enrolled->chain_der(1))).value();
  const std::string url = leaf.crl_urls().at(0);
  ASSERT_TRUE(url.starts_with("http://" + addresses_["http"] + "/"));
  const std::string path = url.substr(url.find('/', 7));
  DT_ASSERT_OK(WriteFileAtomically(Path("leaf.pem"), leaf.Pem()));
  DT_ASSERT_OK(WriteFileAtomically(Path("issuing.pem"), issuing.Pem()));
  DT_ASSERT_OK(WriteFileAtomically(Path("root.pem"), root.Pem()));
  DT_ASSERT_OK(WriteFileAtomically(Path("crl.der"), Get(path)));
  EXPECT_TRUE(Shell("openssl crl -inform DER -in " + Path("crl.der") + " -CAfile " +
                    Path("issuing.pem") + " -out " + Path("crl.pem")));
  // A list of every CA of the chain, as nginx's ssl_crl and Java want it.
  const std::string root_list = Get("/crl/" + HexEncode(root.subject_key_id()) + ".crl");
  DT_ASSERT_OK(WriteFileAtomically(Path("root-crl.der"), root_list));
  EXPECT_TRUE(Shell("openssl crl -inform DER -in " + Path("root-crl.der") + " -CAfile " +
                    Path("root.pem") + " -out " + Path("root-crl.pem")));
  DT_ASSERT_OK(WriteFileAtomically(
      Path("all-crls.pem"), pki::CrlToPem(AsBytes(Get(path))) + pki::CrlToPem(AsBytes(root_list))));
  const std::string verify = "openssl verify -x509_strict -purpose sslclient -CAfile " +
                             Path("root.pem") + " -untrusted " + Path("issuing.pem");
  const std::string with_crl = " -crl_check -CRLfile " + Path("crl.pem") + " " + Path("leaf.pem");
  EXPECT_TRUE(Shell(verify + with_crl));
  const std::string check_all = verify + " -crl_check_all -CRLfile ";
  EXPECT_TRUE(Shell(check_all + Path("all-crls.pem") + " " + Path("leaf.pem")));
  EXPECT_FALSE(Shell(check_all + Path("crl.pem") + " " + Path("leaf.pem")));
  EXPECT_EQ(Get("/ca/root.crt"), enrolled->chain_der(1));
  EXPECT_EQ(Get("/crl/other.crl"), "");

  v1::RevokeCertificateRequest revoke;
  revoke.set_serial(leaf.serial_hex());
  revoke.set_reason(v1::REVOCATION_REASON_KEY_COMPROMISE);
  DT_ASSERT_OK(
      Call(*As(pki_.Admin("ada")), &CertificateAdminService::Stub::RevokeCertificate, revoke));
  DT_ASSERT_OK(WriteFileAtomically(Path("crl.der"), Get(path)));  // CA-3: at once.
  EXPECT_TRUE(Shell("openssl crl -inform DER -in " + Path("crl.der") + " -CAfile " +
                    Path("issuing.pem") + " -out " + Path("crl.pem")));
  EXPECT_FALSE(Shell(verify + with_crl));
  EXPECT_TRUE(Shell(verify + " " + Path("leaf.pem")));
  if (Shell("certtool --version")) {
    EXPECT_TRUE(Shell("certtool --verify-crl --load-ca-certificate " + Path("issuing.pem") +
                      " --infile " + Path("crl.pem")));
  }
}

TEST_F(CaServerTest, AListThatAClientHasIsNotSentAgain) {
  Start();
  const auto root = pki::Certificate::FromDer(AsBytes(Get("/ca/root.crt"))).value();
  const std::string path = "/crl/" + HexEncode(root.subject_key_id()) + ".crl";
  const std::string first = Ask(path);
  const auto line = [&](const std::string& name) {
    const std::size_t at = first.find("\r\n" + name + ": ") + name.size() + 4;
    return first.substr(at, first.find("\r\n", at) + 2 - at);
  };
  EXPECT_EQ(line("cache-control"), "public, max-age=60, no-transform, must-revalidate\r\n");
  const std::string has = "If-None-Match: " + line("etag");
  const std::string since = "If-Modified-Since: " + line("last-modified");
  const std::string other = "If-None-Match: \"1\"\r\n";
  const std::string now = "If-Modified-Since: " + line("date");  // Says nothing of a list's date.
  for (const std::string& fields : {has, since, has + now}) {
    const std::string again = Ask(path, fields);
    EXPECT_TRUE(again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n")) << again;
  }
  for (const std::string& fields : {other, other + since, now}) {
    EXPECT_TRUE(Ask(path, fields).starts_with("HTTP/1.1 200 ")) << fields;
  }
}

TEST_F(CaServerTest, AnswersOcspForIndependentTools) {
  Start();
  const auto enrolled = Enroll(NewRequest());
  DT_ASSERT_OK(enrolled);
  const auto leaf = pki::Certificate::FromDer(AsBytes(enrolled->certificate_der())).value();
  const auto issuing = pki::Certificate::FromDer(AsBytes(enrolled->chain_der(0))).value();
  DT_ASSERT_OK(WriteFileAtomically(Path("leaf.pem"), leaf.Pem()));
  DT_ASSERT_OK(WriteFileAtomically(
      Path("chain.pem"),
      issuing.Pem() + pki::Certificate::FromDer(AsBytes(enrolled->chain_der(1)))->Pem()));
  const std::string url = "http://" + addresses_["http"] + "/ocsp";
  EXPECT_NE(enrolled->certificate_der().find(url), std::string::npos);
  const std::string ask = "openssl ocsp -issuer " + Path("chain.pem") + " -CAfile " +
                          Path("chain.pem") + " -cert " + Path("leaf.pem") + " -url " + url +
                          " 2>&1 | grep -x '" + Path("leaf.pem");
  const std::string by_sha256 = "openssl ocsp -sha256 " + ask.substr(ask.find("-issuer"));
  EXPECT_TRUE(Shell(ask + ": good'"));
  EXPECT_TRUE(Shell(by_sha256 + ": good'"));

  v1::RevokeCertificateRequest revoke;
  revoke.set_serial(leaf.serial_hex());
  revoke.set_reason(v1::REVOCATION_REASON_KEY_COMPROMISE);
  DT_ASSERT_OK(
      Call(*As(pki_.Admin("ada")), &CertificateAdminService::Stub::RevokeCertificate, revoke));
  EXPECT_TRUE(Shell(ask + ": revoked'"));  // At once.
  EXPECT_TRUE(Shell(by_sha256 + ": revoked'"));
}

TEST_F(CaServerTest, StreamsRevocationsInOrderWithHeartbeats) {
  Start();
  const auto gateway = RevocationFeedService::NewStub(Internal(pki_.Component("gateway-1")));
  grpc::ClientContext context;
  const auto reader = gateway->WatchRevocations(&context, {});
  v1::WatchRevocationsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.revocations_size(), 0);

  const auto enrolled = Enroll(NewRequest());
  DT_ASSERT_OK(enrolled);
  DT_ASSERT_OK(Enroll(NewRequest()));
  v1::RevokeForUserRequest revoke;
  revoke.set_user_id("user-of-S-1-5-21-1-2-3-1104");
  revoke.set_requested_by("admin:ada");
  const auto revoked =
      Call(*As(pki_.Component("policy")), &CertificateAdminService::Stub::RevokeForUser, revoke);
  DT_ASSERT_OK(revoked);
  EXPECT_EQ(revoked->revoked(), 2);
  while (message.revocations_size() == 0) ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(message.revocations_size(), 2);
  EXPECT_LT(message.revocations(0).sequence(), message.sequence());
  EXPECT_EQ(message.sequence(), revoked->sequence());

  // A late reader starts after what it has, and each stream ends when the server does.
  grpc::ClientContext late_context;
  v1::WatchRevocationsRequest from_one;
  from_one.set_after_sequence(message.revocations(0).sequence());
  const auto late = gateway->WatchRevocations(&late_context, from_one);
  ASSERT_TRUE(late->Read(&message));
  EXPECT_EQ(message.revocations_size(), 1);
  ASSERT_TRUE(late->Read(&message));  // A heartbeat.
  EXPECT_EQ(message.sequence(), revoked->sequence());
  // Read on meanwhile, as gateways do: of a connection that is gone, gRPC makes up a status.
  std::thread stopping([this] { server_->Stop(); });
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopping.join();
}

TEST_F(CaServerTest, GivesEachCallerItsMethodsOnly) {
  Start();
  v1::RevokeForUserRequest revoke;
  revoke.set_user_id("u1");
  DT_EXPECT_CODE(
      Call(*As(pki_.Component("gateway-1")), &CertificateAdminService::Stub::RevokeForUser, revoke),
      kPermissionDenied);
  DT_EXPECT_CODE(
      Call(*As(pki_.Component("iwa-1")), &CertificateAdminService::Stub::ListCertificates, {}),
      kPermissionDenied);
  const auto issuers = rpc::Call(*IssuerService::NewStub(Internal(pki_.Component("gateway-1"))),
                                 &IssuerService::Stub::GetIssuers, v1::GetIssuersRequest());
  DT_ASSERT_OK(issuers);
  EXPECT_EQ(issuers->edge_address(), addresses_["edge"]);
  ASSERT_EQ(issuers->issuers_size(), 1);
  EXPECT_EQ(issuers->issuers(0).state(), v1::ISSUER_STATE_ACTIVE);
  EXPECT_EQ(issuers->issuers(0).chain_der_size(), 2);
  EXPECT_TRUE(issuers->issuers(0).root_crl_url().starts_with("http://" + addresses_["http"]));
  EXPECT_EQ(issuers->issuers(0).ocsp_url(), "http://" + addresses_["http"] + "/ocsp");
  // The admin methods are not on the edge.
  const auto on_edge = CertificateAdminService::NewStub(
      rpc::NewChannel({.address = addresses_["edge"],
                       .server_name = "ca.test",
                       .trust_pem = pki_.web_ca().certificate.Pem(),
                       .identity = Pem(pki_.Admin("ada"))}));
  DT_EXPECT_CODE(Call(*on_edge, &CertificateAdminService::Stub::RevokeForUser, revoke),
                 kPermissionDenied);

  const auto admin = As(pki_.Admin("ada"));
  v1::ListCertificatesRequest list;
  list.set_page_size(1001);
  DT_EXPECT_CODE(Call(*admin, &CertificateAdminService::Stub::ListCertificates, list),
                 kInvalidArgument);
  list.set_page_size(1);
  list.set_page_token("garbage");
  DT_EXPECT_CODE(Call(*admin, &CertificateAdminService::Stub::ListCertificates, list),
                 kInvalidArgument);
  v1::RevokeCertificateRequest bad;
  for (const char* text : {"", "serial=", "12 34 xy", "12.34", "0x"}) {
    bad.set_serial(text);
    DT_EXPECT_CODE(Call(*admin, &CertificateAdminService::Stub::RevokeCertificate, bad),
                   kInvalidArgument)
        << text;
  }
}

// As openssl, certutil and dialogs of systems print a serial, and as it is copied from a page.
TEST_F(CaServerTest, TakesASerialHoweverItIsWritten) {
  Start();
  const auto enrolled = Enroll(NewRequest());
  DT_ASSERT_OK(enrolled);
  const std::string serial =
      pki::Certificate::FromDer(AsBytes(enrolled->certificate_der()))->serial_hex();
  std::string capitals = serial;
  std::string spaced;
  std::string colons;
  for (char& c : capitals) c = static_cast<char>(std::toupper(c));
  for (std::size_t i = 0; i < serial.size(); i += 2) {
    spaced += (i == 0 ? "" : " ") + capitals.substr(i, 2);
    colons += (i == 0 ? "" : ":") + serial.substr(i, 2);
  }
  const auto admin = As(pki_.Admin("ada"));
  for (const std::string& text :
       {serial, capitals, spaced, colons, "serial=" + capitals, "Serial Number: " + colons,
        "0x" + serial, "00" + serial, "\u200e" + spaced + "\u00a0\r\n"}) {
    v1::ListCertificatesRequest list;
    list.set_serial(text);
    const auto found = Call(*admin, &CertificateAdminService::Stub::ListCertificates, list);
    DT_ASSERT_OK(found);
    ASSERT_EQ(found->certificates_size(), 1) << text;
    EXPECT_EQ(found->certificates(0).serial(), serial);
  }
  v1::RevokeCertificateRequest revoke;
  revoke.set_serial("serial=" + spaced);
  revoke.set_reason(v1::REVOCATION_REASON_KEY_COMPROMISE);
  DT_EXPECT_OK(Call(*admin, &CertificateAdminService::Stub::RevokeCertificate, revoke));
}

TEST_F(CaServerTest, SaysSoWhileTheOrgIsReadOnlyOrGoneAndRecovers) {
  Start();
  DT_ASSERT_OK(Enroll(NewRequest()));
  org_.set_refusal(rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_ORG_READ_ONLY,
                                  "the org is in read-only mode"));
  const v1::EnrollRequest request = NewRequest();
  EXPECT_EQ(rpc::ReasonOf(Enroll(request).status()), reason::v1::REASON_ORG_READ_ONLY);
  org_.set_refusal(absl::OkStatus());

  const std::string address = org_server_->address();
  org_server_.reset();
  const auto refused = Enroll(request);
  DT_EXPECT_CODE(refused, kUnavailable);
  EXPECT_EQ(rpc::ReasonOf(refused.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  EXPECT_NE(rpc::DetailOf(refused.status())->remedy().find("--org-address"), std::string::npos);

  StartOrg(address);
  absl::Status again = Enroll(request).status();
  while (absl::IsUnavailable(again)) again = Enroll(request).status();
  DT_ASSERT_OK(again);
  while (org_.log().size() < 4) std::this_thread::yield();
}

TEST_F(CaServerTest, KeepsItsKeysAndCertificatesOverARestart) {
  Start();
  const v1::EnrollRequest request = NewRequest();
  const auto first = Enroll(request);
  DT_ASSERT_OK(first);
  server_.reset();
  Start();
  EXPECT_EQ(Enroll(request).value().certificate_der(), first->certificate_der());
}

TEST_F(CaServerTest, NamesWhatIsWrongAtTheStart) {
  DT_EXPECT_OK(CheckConfig(config_));
  for (const char* url :
       {"hello", "ftp://x", "http://h/\n", "http://h/a?b", "https://h", "http://h/"}) {
    Config printed = config_;  // Would be in every certificate for a year.
    printed.public_http_url = url;
    const absl::Status refused = CheckConfig(printed);
    EXPECT_NE(refused.ToString().find("--public-http-url"), std::string::npos) << url;
  }
  Config elsewhere = config_;
  elsewhere.database = "postgresql://x";
  DT_EXPECT_CODE(CheckConfig(elsewhere), kInvalidArgument);
  Start();
  // A second one beside it: the same store, then the same port.
  DT_EXPECT_CODE(CaServer::Create(config_, clock_, random_), kFailedPrecondition);
  Config second = config_;
  second.database = "sqlite:" + Path("second.db");
  using Listener = std::pair<std::string Config::*, const char*>;
  for (const auto& [member, name] :
       {Listener{&Config::edge_listen, "edge"}, Listener{&Config::internal_listen, "internal"},
        Listener{&Config::http_listen, "http"}}) {
    Config taken = second;
    taken.*member = addresses_[name];
    const auto refused = CaServer::Create(taken, clock_, random_);
    DT_EXPECT_CODE(refused, kFailedPrecondition);
    const std::string message(refused.status().message());
    EXPECT_NE(message.find(std::string("--") + name + "-listen"), std::string::npos) << message;
  }
  std::filesystem::permissions(Path("kek"), std::filesystem::perms(0644));
  const absl::Status shared = CheckConfig(config_);
  DT_EXPECT_CODE(shared, kFailedPrecondition);
  EXPECT_NE(std::string(shared.message()).find("chmod"), std::string::npos);
}

}  // namespace
}  // namespace devicetrust::ca
