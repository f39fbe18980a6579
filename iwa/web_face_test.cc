#include "iwa/web_face.h"

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <map>

#include "libs/base/encoding.h"
#include "libs/kerberos/failure.h"
#include "libs/testing/fake_directory.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/token/names.h"

namespace devicetrust::iwa {
namespace {

// Tickets are the names of their holders.
class NamedTickets final : public TicketAcceptor {
 public:
  absl::StatusOr<kerberos::Accepted> Accept(std::span<const std::uint8_t> spnego,
                                            const kerberos::Bindings& bindings) override {
    EXPECT_TRUE(bindings.empty());  // Plain HTTP.
    const auto found = identities.find(ToString(spnego));
    if (found == identities.end()) {
      return kerberos::MakeFailure(kerberos::Failure::kTicketExpired, "the ticket has expired");
    }
    return kerberos::Accepted{found->second, Bytes{1, 2, 3}};
  }
  std::map<std::string, kerberos::Identity> identities;
};

class WebFaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory::User& ada = corp_->users["S-1-5-21-1-2-3-1104"];
    ada.sid = "S-1-5-21-1-2-3-1104";
    ada.account_name = "ada";
    ada.enabled = true;
    kerberos::Identity& identity = tickets_.identities["ADA"];
    identity.principal = "ADA@CORP.TEST";
    identity.realm = "CORP.TEST";
    identity.service_realm = "CORP.TEST";
    identity.account_sid = "S-1-5-21-1-2-3-1104";
    identity.domain_sid = "S-1-5-21-1-2-3";
    Config config;
    config.web_listen = "127.0.0.1:0";
    config.web_binding = "http";
    auto started = WebFace::Start(config, tickets_, issuer_, clock_);
    DT_ASSERT_OK(started);
    face_ = *std::move(started);
  }
  std::unique_ptr<directory::Registry> NewDomains() {
    std::vector<directory::Domain> domains;
    domains.push_back(testing::NewFakeDomain("corp.test", "CORP", "S-1-5-21-1-2-3", &corp_));
    return directory::Registry::Create(std::move(domains)).value();
  }
  // The whole answer.
  std::string Ask(const std::string& authorization, const std::string& line = "GET /iwa/whoami") {
    namespace asio = boost::asio;
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect(face_->server().endpoint(0));
    std::string request = line + " HTTP/1.1\r\nHost: iwa\r\nConnection: close\r\n";
    if (line.starts_with("POST")) request += "Content-Length: 0\r\n";
    if (!authorization.empty()) request += "Authorization: " + authorization + "\r\n";
    request += "\r\n";
    asio::write(socket, asio::buffer(request));
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);
    return answer;
  }
  static bool Has(const std::string& answer, const std::string& text) {
    return answer.find(text) != std::string::npos;
  }

  testing::TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  NamedTickets tickets_;
  testing::FakeDirectory* corp_ = nullptr;
  const std::unique_ptr<directory::Registry> domains_ = NewDomains();
  const std::unique_ptr<SigningKeyStore> store_ =
      SigningKeyStore::Open("sqlite:" + (folder_ / "iwa.db"), {"acme", "iwa-1"},
                            pki::AeadKey::Generate("kek-1", random_).value())
          .value();
  const std::unique_ptr<SigningKeys> signing_ =
      SigningKeys::Open(*store_, token::IwaUrn("acme", "iwa-1"), std::chrono::days(90), clock_,
                        random_)
          .value();
  ForestTrusts trusts_{*domains_, "corp.test", {"CORP.TEST"}};
  TokenIssuer issuer_{{"acme", "iwa-1"}, *signing_, tickets_, *domains_, trusts_, clock_, random_};
  std::unique_ptr<WebFace> face_;
};

TEST_F(WebFaceTest, SaysWhoYouAreAndThatYouCouldEnroll) {
  const std::string answer = Ask("Negotiate " + Base64Encode(AsBytes("ADA")));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_TRUE(Has(answer, "You are     ada@CORP.TEST, a user\n")) << answer;
  EXPECT_TRUE(Has(answer, "SID         S-1-5-21-1-2-3-1104\n"));
  EXPECT_TRUE(Has(answer, "Enrollment  possible through this IWA\n"));
  EXPECT_TRUE(Has(answer, ": Negotiate AQID\r\n"));  // Mutual authentication.
  EXPECT_FALSE(Has(answer, "eyJ"));                  // No token.
}

TEST_F(WebFaceTest, SaysWhyAnAccountCouldNotEnroll) {
  corp_->users["S-1-5-21-1-2-3-1104"].enabled = false;
  const std::string answer = Ask("negotiate " + Base64Encode(AsBytes("ADA")));
  EXPECT_TRUE(Has(answer, "Enrollment  not possible (USER_DISABLED): the account is disabled\n"));
  EXPECT_TRUE(Has(answer, "Remedy      Enable the account in Active Directory.\n")) << answer;
}

TEST_F(WebFaceTest, AnonymousAndNtlmGetAPageThatSaysSo) {
  for (const std::string& authorization :
       {std::string(), std::string("Basic YTpi"), std::string("NTLM TlRMTVNTUAABAAAA"),
        std::string("Negotiate TlRMTVNTUAABAAAA"), std::string("Negotiate"),
        std::string("Negotiate !")}) {
    const std::string answer = Ask(authorization);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 401")) << answer;
    EXPECT_TRUE(Has(answer, ": Negotiate\r\n")) << answer;
    EXPECT_TRUE(Has(answer, "401: ")) << answer;
    EXPECT_EQ(Has(answer, "NTLM is not accepted"), Has(authorization, "TlRM")) << authorization;
  }
  EXPECT_TRUE(Has(Ask("Negotiate " + Base64Encode(AsBytes("eve"))), "(TICKET_EXPIRED)"));
}

TEST_F(WebFaceTest, ServesNothingElse) {
  EXPECT_TRUE(Ask("", "GET /iwa/mex").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(Ask("", "GET /").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(Ask("", "POST /iwa/whoami").starts_with("HTTP/1.1 405"));
}

}  // namespace
}  // namespace devicetrust::iwa
