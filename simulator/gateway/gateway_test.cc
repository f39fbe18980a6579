// The whole front without sockets: requests in, answers out, a browser's cookies between.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <map>

#include "libs/sim/seeded_random.h"
#include "libs/sim/throwaway_pki.h"
#include "libs/sim/virtual_clock.h"
#include "libs/testing/status.h"
#include "simulator/gateway/fake_org.h"
#include "simulator/gateway/mtls_host.h"
#include "simulator/gateway/org_host.h"
#include "simulator/gateway/saml_time.h"
#include "simulator/gateway/xml.h"
#include "simulator/gateway/xml_signature.h"

namespace devicetrust::gateway {
namespace {

namespace asio = boost::asio;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
constexpr std::string_view kOrigin = "https://org.localhost:8443";

template <typename T>
T Await(Task<T> task) {
  asio::io_context io;
  std::future<T> result = asio::co_spawn(io, std::move(task), asio::use_future);
  io.run();
  return result.get();
}

std::string Location(const http::Response& response) {
  return std::string(response.fields.Find("location").value_or(""));
}

std::string Between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string_view::npos) return "";
  const std::string_view rest = text.substr(from + begin.size());
  return std::string(rest.substr(0, rest.find(end)));
}

org::v1::GatewayKeys NewKeys() {
  sim::SeededRandom random(1);
  org::v1::GatewayKeys keys;
  org::v1::SymmetricKey* cookie = keys.add_cookie_keys();
  cookie->set_kid("c1");
  cookie->set_key(std::string(32, 'k'));
  org::v1::SigningKey* proof = keys.add_proof_keys();
  proof->set_kid("p1");
  proof->set_private_key_pem(pki::PrivateKey::Generate().value().Pem());
  const pki::PrivateKey rsa = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  org::v1::SigningKey* saml = keys.add_saml_keys();
  saml->set_kid("s1");
  saml->set_private_key_pem(rsa.Pem());
  saml->set_certificate_pem(pki::SignSelf({.common_name = "org",
                                           .serial_hex = "01",
                                           .usage = pki::Usage::kCa,
                                           .not_before = kStart,
                                           .not_after = kStart + std::chrono::hours{9999}},
                                          rsa)
                                .value()
                                .Pem());
  return keys;
}

// Made once: an RSA key takes its time.
const org::v1::GatewayKeys& SharedKeys() {
  static const org::v1::GatewayKeys keys = NewKeys();
  return keys;
}

org::v1::ListAppsResponse NewApps() {
  org::v1::ListAppsResponse apps;
  apps.set_version(1);
  apps.set_device_trust_effective(true);
  org::v1::App* app = apps.add_apps();
  app->set_id("mail");
  app->set_label("Mail & <more>");
  app->set_protocol(org::v1::SAML2);
  app->mutable_saml()->set_entity_id("https://sp.example/mail");
  org::v1::AssertionConsumerService* acs = app->mutable_saml()->add_acs();
  acs->set_url("https://sp.example/acs?a=1&b=2");
  app->add_rules()->set_active(true);
  app->mutable_rules(0)->set_trust(org::v1::TRUSTED);
  app->add_rules()->set_is_default(true);
  return apps;
}

// One gateway with pictures and streams of its own.
struct Gateway {
  Gateway(Org& org, const Clock& clock, Random& random)
      : live(minutes{10}),
        site{"acme", "org.localhost", std::string(kOrigin), "mtls.localhost", 8444, true},
        org_host(site, view, live, org, clock, random),
        mtls_host(site, view, live, clock, random) {
    view.keys.Set(std::make_shared<const Keyring>(ToKeyring("acme", SharedKeys()).value()));
    view.apps.Set(std::make_shared<const AppDirectory>(NewApps()));
    live.Apply(ca::v1::WatchRevocationsResponse());
    live.Apply(org::v1::WatchSessionsResponse(), clock.Now());
  }

  void Revoke(const std::string& serial) {
    ca::v1::WatchRevocationsResponse message;
    message.set_sequence(live.revocation_sequence() + 1);
    message.add_revocations()->set_serial(serial);
    message.mutable_revocations(0)->mutable_not_after()->set_seconds(
        UnixSeconds(kStart + std::chrono::hours{9999}));
    live.Apply(message);
  }

  OrgView view;
  LiveState live;
  Site site;
  OrgHost org_host;
  MtlsHost mtls_host;
};

// Keeps cookies and shows a certificate, like a browser. Which gateway answers is up to the
// load balancer: the test.
class Browser {
 public:
  http::Response Get(Gateway& gateway, const std::string& url) {
    return Send(gateway, NewRequest("GET", url));
  }

  http::Response Post(Gateway& gateway, const std::string& url, const std::string& body,
                      bool cross_site = false) {
    http::Request request = NewRequest("POST", url);
    request.fields.Set("content-type", "application/x-www-form-urlencoded");
    request.fields.Set("origin", cross_site ? "https://sp.example" : kOrigin);
    if (cross_site) request.fields.Remove("cookie");
    request.body = body;
    return Send(gateway, request);
  }

  http::Request NewRequest(const std::string& method, const std::string& url) {
    http::Request request;
    const std::string target = url.starts_with("https://") ? url.substr(url.find('/', 8)) : url;
    const std::string host = url.starts_with("https://")
                                 ? url.substr(8, url.find_first_of(":/", 8) - 8)
                                 : "org.localhost";
    request.method = method;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    request.query =
        target.find('?') == std::string::npos ? "" : target.substr(target.find('?') + 1);
    request.host = host;
    request.fields.Set("user-agent", "Test/1.0");
    request.connection.tls = true;
    request.connection.server_name = host;
    request.connection.peer_address = asio::ip::make_address("192.0.2.7");
    if (host.ends_with("mtls.localhost")) {
      request.connection.peer_certificate = certificate;
      request.connection.peer_verdict = verdict;
    }
    std::string line;
    for (const auto& [name, value] : cookies) {
      line += fmt::format("{}{}={}", line.empty() ? "" : "; ", name, value);
    }
    if (!line.empty() && host == "org.localhost") request.fields.Set("cookie", line);
    return request;
  }

  http::Response Send(Gateway& gateway, const http::Request& request) {
    http::Response response = request.host == "org.localhost"
                                  ? Await(gateway.org_host.Handle(request))
                                  : Await(gateway.mtls_host.Handle(request));
    for (const http::Field& field : response.fields.all()) {
      if (field.name != "set-cookie") continue;
      const std::string name = field.value.substr(0, field.value.find('='));
      if (field.value.find("Max-Age=0") != std::string::npos) {
        cookies.erase(name);
      } else {
        cookies[name] = Between(field.value, "=", ";");
      }
    }
    return response;
  }

  // Goes on by redirects until there is a page.
  http::Response Follow(Gateway& gateway, http::Response response) {
    for (int hop = 0; hop < 8 && response.status == 303; ++hop) {
      response = Get(gateway, Location(response));
    }
    return response;
  }

  http::Response SignIn(Gateway& gateway, const http::Response& form,
                        const std::string& password = "right") {
    const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
    return Post(
        gateway, "/signin",
        http::EncodeParameters({{"t", id}, {"username", "ada@corp.test"}, {"password", password}}));
  }

  std::map<std::string, std::string> cookies;
  std::optional<pki::Certificate> certificate;
  pki::DeviceVerdict verdict = pki::DeviceVerdict::kNone;
};

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() {
    browser_.certificate = device_.certificate;
    browser_.verdict = pki::DeviceVerdict::kGood;
  }

  static token::KeySet ProofKeys() {
    token::KeySet keys;
    keys.Add("p1", token::ProofIssuer("acme"),
             pki::PrivateKey::FromPem(SharedKeys().proof_keys(0).private_key_pem())
                 .value()
                 .public_key());
    return keys;
  }

  std::string RequestXml(std::string_view attributes = "") {
    return fmt::format(
        "<samlp:AuthnRequest xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"_r{}\" IssueInstant=\"{}\""
        " Version=\"2.0\"{}><saml:Issuer>https://sp.example/mail</saml:Issuer></"
        "samlp:AuthnRequest>",
        kSamlpNs, kSamlNs, ++requests_, FormatSamlTime(clock_.Now()), attributes);
  }

  std::string SsoUrl(std::string_view attributes = "") {
    return fmt::format("/app/mail/sso/saml?SAMLRequest={}&RelayState=state%26{}",
                       http::PercentEncode(Base64Encode(AsBytes(Deflate(RequestXml(attributes))))),
                       requests_);
  }

  // The XML of a page that posts a SAML response.
  static std::string ResponseXml(const http::Response& page) {
    const std::string encoded = Between(page.body, "name=\"SAMLResponse\" value=\"", "\"");
    return ToString(Base64Decode(encoded).value());
  }

  static void ExpectSignedResponse(const http::Response& page, const std::string& request_id) {
    ASSERT_EQ(page.status, 200) << page.body;
    const auto document = XmlDocument::Parse(ResponseXml(page));
    DT_ASSERT_OK(document);
    DT_EXPECT_OK(VerifyRootSignature(
        *document,
        {pki::Certificate::FromPem(SharedKeys().saml_keys(0).certificate_pem()).value()}));
    EXPECT_EQ(document->root().Attribute("InResponseTo"), request_id);
    EXPECT_EQ(document->root().Children(kSamlNs, "Assertion").size(), 1U);
  }

  sim::VirtualClock clock_{kStart};
  sim::SeededRandom random_{7};
  pki::Identity ca_ = sim::NewCa("MTLS Certificate Authority", kStart);
  pki::Identity device_ = sim::NewDevice("acme", "d-1", "e-1", ca_, kStart);
  FakeOrg org_{clock_, ProofKeys()};
  Gateway gateway_{org_, clock_, random_};
  Gateway other_{org_, clock_, random_};
  Browser browser_;
  int requests_ = 0;
};

TEST_F(GatewayTest, SignsATrustedDeviceInAndItsNextAppWithoutAPassword) {
  http::Response page = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("Mail &amp; &lt;more&gt;"));
  http::Response step = browser_.SignIn(gateway_, page);
  EXPECT_THAT(Location(step), HasSubstr(".mtls.localhost:8444/challenge?c="));
  page = browser_.Follow(gateway_, std::move(step));
  ExpectSignedResponse(page, "_r1");
  EXPECT_THAT(page.body, HasSubstr("action=\"https://sp.example/acs?a=1&amp;b=2\""));
  EXPECT_THAT(page.body, HasSubstr("name=\"RelayState\" value=\"state&amp;1\""));
  EXPECT_EQ(org_.last_client.address(), "192.0.2.7");

  ExpectSignedResponse(browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())), "_r2");
  // Nothing stays but the session.
  EXPECT_EQ(browser_.cookies.size(), 1U);
}

TEST_F(GatewayTest, EachChallengeHasANameOfItsOwn) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  const std::string one = Location(browser_.Get(gateway_, SsoUrl()));
  const std::string two = Location(browser_.Get(gateway_, SsoUrl()));
  EXPECT_NE(Between(one, "https://", "."), Between(two, "https://", "."));
}

TEST_F(GatewayTest, RefusesAnUntrustedDeviceWithMessageLinkAndCode) {
  browser_.certificate.reset();
  browser_.verdict = pki::DeviceVerdict::kNone;
  const http::Response page = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  EXPECT_EQ(page.status, 403);
  EXPECT_THAT(page.body, HasSubstr("Contact your administrator"));
  EXPECT_THAT(page.body, HasSubstr("<code>CODE-1</code>"));
  EXPECT_THAT(page.body, HasSubstr("href=\"https://help.example/trust?a=1&amp;b=2\""));
}

TEST_F(GatewayTest, AsksForTheFactorOnceAndSurvivesAReload) {
  org_.ask_factor = true;
  http::Response page = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  EXPECT_THAT(page.body, HasSubstr("one-time-code"));
  const std::string id = Between(page.body, "name=\"t\" value=\"", "\"");
  EXPECT_THAT(browser_.Get(gateway_, "/factor?t=" + id).body, HasSubstr("one-time-code"));
  EXPECT_EQ(browser_.Post(gateway_, "/factor", "t=" + id + "&code=000000").status, 422);
  EXPECT_EQ(browser_.Post(gateway_, "/factor", "t=" + id + "&code=12345x").status, 422);
  ExpectSignedResponse(browser_.Post(gateway_, "/factor", "t=" + id + "&code=123456"), "_r1");
  ExpectSignedResponse(browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())), "_r2");
}

// SSO-6: tabs opened at once, cold: each is asked for a password, each finishes, in any order.
TEST_F(GatewayTest, ManyTabsAtOnceAllFinish) {
  constexpr int kTabs = 12;
  std::vector<http::Response> tabs;
  for (int i = 0; i < kTabs; ++i) {
    tabs.push_back(browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  }
  // All passwords first, so that the session cookie is overwritten under each challenge.
  for (http::Response& tab : tabs) tab = browser_.SignIn(gateway_, tab);
  for (int i = kTabs - 1; i >= 0; --i) {
    Gateway& answering = i % 2 == 0 ? gateway_ : other_;
    ExpectSignedResponse(browser_.Follow(answering, std::move(tabs[static_cast<std::size_t>(i)])),
                         fmt::format("_r{}", i + 1));
  }
}

TEST_F(GatewayTest, TwoGatewaysShareSessionsAndNeitherTakesAProofTwice) {
  http::Response step =
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  step = browser_.Get(other_, Location(step));  // The other's mTLS host.
  const std::string proof_url = Location(step);
  EXPECT_THAT(proof_url, StartsWith(std::string(kOrigin) + "/proof?t="));
  const std::map<std::string, std::string> cookies = browser_.cookies;
  ExpectSignedResponse(browser_.Get(gateway_, proof_url), "_r1");
  // The same proof with the cookies kept back, at the other gateway: no trust, so refused.
  browser_.cookies = cookies;
  EXPECT_EQ(browser_.Get(other_, proof_url).status, 403);
  // With the cookies as they were left there is no such sign-on any more.
  browser_.cookies.erase(browser_.cookies.begin(), browser_.cookies.end());
  EXPECT_EQ(browser_.Get(other_, proof_url).status, 400);
}

TEST_F(GatewayTest, AProofOfAnotherTransactionOrSessionIsWorthNothing) {
  http::Response one =
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  http::Response two = browser_.Get(gateway_, SsoUrl());
  one = browser_.Get(gateway_, Location(one));
  two = browser_.Get(gateway_, Location(two));
  const std::string id_of_two = Between(Location(two), "?t=", "&");
  const std::string proof_of_one = Between(Location(one), "&p=", "&");
  EXPECT_EQ(browser_.Get(gateway_, "/proof?t=" + id_of_two + "&p=" + proof_of_one).status, 403);
  // 31 s later it is too old. (30 s, and 30 s of skew.)
  asio::io_context io;
  clock_.RunUntil(io, kStart + seconds{61});
  EXPECT_EQ(browser_.Get(gateway_, Location(one)).status, 403);
}

TEST_F(GatewayTest, TamperedCookiesAreNoCookies) {
  browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  const std::string good = browser_.cookies.at(std::string(kSessionCookie));
  EXPECT_THAT(browser_.Get(gateway_, "/").body, HasSubstr("ada@corp.test"));
  for (std::size_t i = 0; i < good.size(); i += 3) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    browser_.cookies[std::string(kSessionCookie)] = bad;
    EXPECT_EQ(browser_.Get(gateway_, "/").status, 303) << i;
  }
  for (const std::string& bad : {good.substr(0, good.size() - 1), good + "A", std::string("x")}) {
    browser_.cookies[std::string(kSessionCookie)] = bad;
    EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  }
  // A transaction's cookie is no session, nor another transaction.
  browser_.cookies.clear();
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  const auto [name, sealed] = *browser_.cookies.begin();
  browser_.cookies[std::string(kSessionCookie)] = sealed;
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  browser_.cookies[TransactionCookie("AAAAAAAAAAAAAAAAAAAAAA")] = sealed;
  EXPECT_EQ(browser_.Get(gateway_, "/signin?t=AAAAAAAAAAAAAAAAAAAAAA").status, 400);
}

TEST_F(GatewayTest, ASessionEndsAfterTwelveHours) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  asio::io_context io;
  clock_.RunUntil(io, kStart + kSessionLifetime - seconds{1});
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 200);
  clock_.RunUntil(io, kStart + kSessionLifetime);
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
}

TEST_F(GatewayTest, RevocationEndsTheSessionAndRefusesTheDevice) {
  const http::Response first = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  ExpectSignedResponse(first, "_r1");
  // While the browser is on its way back with a good proof.
  const http::Response step = browser_.Get(gateway_, Location(browser_.Get(gateway_, SsoUrl())));
  gateway_.Revoke(device_.certificate.serial_hex());
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, Location(step)));
  EXPECT_THAT(form.body, HasSubstr("current-password"));
  EXPECT_EQ(browser_.Follow(gateway_, browser_.SignIn(gateway_, form)).status, 403);
  EXPECT_THAT(browser_.Get(gateway_, "https://mtls.localhost/check").body,
              HasSubstr("\"trusted\":false,\"reason\":\"CERTIFICATE_REVOKED\""));
}

TEST_F(GatewayTest, EndedSessionsAndDeactivatedPeopleAreOut) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 200);
  org::v1::WatchSessionsResponse message;
  message.add_changes()->set_deactivated_user_id("u-ada@corp.test");
  message.mutable_changes(0)->mutable_at()->set_seconds(UnixSeconds(kStart));
  gateway_.live.Apply(message, kStart);
  EXPECT_EQ(browser_.Get(gateway_, "/").status, 303);
  EXPECT_EQ(browser_.Get(other_, "/").status, 200);  // Has not heard of it yet.
  message.mutable_changes(0)->set_ended_session_id("session-1");
  other_.live.Apply(message, kStart);
  EXPECT_EQ(browser_.Get(other_, "/").status, 303);
}

TEST_F(GatewayTest, CheckSaysWhatItSaw) {
  const auto check = [&] { return browser_.Get(gateway_, "https://mtls.localhost/check").body; };
  EXPECT_EQ(check(), fmt::format("{{\"trusted\":true,\"reason\":\"\",\"serial\":\"{}\","
                                 "\"device_id\":\"d-1\"}}\n",
                                 device_.certificate.serial_hex()));
  for (const auto& [verdict, reason] : std::map<pki::DeviceVerdict, const char*>{
           {pki::DeviceVerdict::kForeignIssuer, "CERTIFICATE_OF_ANOTHER_CA"},
           {pki::DeviceVerdict::kBadSignature, "CERTIFICATE_SIGNATURE_INVALID"},
           {pki::DeviceVerdict::kExpired, "CERTIFICATE_EXPIRED"},
           {pki::DeviceVerdict::kNotYetValid, "CERTIFICATE_NOT_YET_VALID"},
           {pki::DeviceVerdict::kWrongUsage, "CERTIFICATE_WRONG_USAGE"},
           {pki::DeviceVerdict::kMalformed, "CERTIFICATE_MALFORMED"}}) {
    browser_.verdict = verdict;
    EXPECT_THAT(check(), HasSubstr(fmt::format("{{\"trusted\":false,\"reason\":\"{}\"", reason)));
    EXPECT_THAT(check(), HasSubstr("\"device_id\":\"\""));
  }
  browser_.verdict = pki::DeviceVerdict::kNone;
  browser_.certificate.reset();
  EXPECT_EQ(check(),
            "{\"trusted\":false,\"reason\":\"CERTIFICATE_NOT_PRESENTED\","
            "\"serial\":\"\",\"device_id\":\"\"}\n");
  browser_.verdict = pki::DeviceVerdict::kGood;
  browser_.certificate = sim::NewDevice("other-org", "d-1", "e-1", ca_, kStart).certificate;
  EXPECT_THAT(check(), HasSubstr("CERTIFICATE_UNKNOWN"));
}

// Without news nobody is trusted; with them again everybody is.
TEST_F(GatewayTest, StaleRevocationDataTrustsNobody) {
  LiveState live(minutes{10});
  http::Connection connection;
  connection.peer_certificate = device_.certificate;
  connection.peer_verdict = pki::DeviceVerdict::kGood;
  EXPECT_EQ(Inspect(connection, "acme", live).reason, reason::v1::REVOCATION_DATA_STALE);
  live.Apply(ca::v1::WatchRevocationsResponse());
  EXPECT_FALSE(Inspect(connection, "acme", live).trusted);  // The other stream is silent.
  live.Apply(org::v1::WatchSessionsResponse(), kStart);
  EXPECT_TRUE(Inspect(connection, "acme", live).trusted);
  LiveState impatient(std::chrono::milliseconds{0});
  impatient.Apply(ca::v1::WatchRevocationsResponse());
  impatient.Apply(org::v1::WatchSessionsResponse(), kStart);
  EXPECT_FALSE(Inspect(connection, "acme", impatient).trusted);
}

// Attack 7: what a header says of a certificate is nobody's word.
TEST_F(GatewayTest, HeadersAreNoCertificates) {
  browser_.verdict = pki::DeviceVerdict::kNone;
  browser_.certificate.reset();
  http::Request request = browser_.NewRequest("GET", "https://mtls.localhost/check");
  for (const char* name : {"client-cert", "x-ssl-client-cert", "x-ssl-client-verify", "client_cert",
                           "x-forwarded-client-cert", "ssl-client-cert", "x-client-cert-chain"}) {
    request.fields.Add(name, "SUCCESS");
    request.fields.Add(name, device_.certificate.serial_hex());
  }
  EXPECT_THAT(
      Await(gateway_.mtls_host.Handle(request)).body,
      HasSubstr("\"trusted\":false,\"reason\":\"CERTIFICATE_NOT_PRESENTED\",\"serial\":\"\""));
}

// Attacks 8 and 9.
TEST_F(GatewayTest, HeadersAreNoAddresses) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  http::Request request = browser_.NewRequest("POST", "/signin");
  request.fields.Set("content-type", "application/x-www-form-urlencoded");
  for (const char* name : {"x-forwarded-for", "forwarded", "x-real-ip", "remote_addr"}) {
    request.fields.Add(name, "10.0.0.1, for=10.0.0.1");
  }
  request.body =
      "t=" + Between(form.body, "name=\"t\" value=\"", "\"") + "&username=ada&password=right";
  browser_.Send(gateway_, request);
  EXPECT_EQ(org_.last_client.address(), "192.0.2.7");
}

TEST_F(GatewayTest, HostMustBeTheHandshakes) {
  for (const auto& [host, sni] :
       std::map<std::string, std::string>{{"org.localhost", "mtls.localhost"},
                                          {"mtls.localhost", "org.localhost"},
                                          {"org.localhost", ""},
                                          {"evil.localhost", "evil.localhost"},
                                          {"a.b.mtls.localhost", "a.b.mtls.localhost"},
                                          {"xmtls.localhost", "xmtls.localhost"}}) {
    http::Request request = browser_.NewRequest("GET", "https://" + host + "/check");
    request.connection.server_name = sni;
    EXPECT_EQ(Await(gateway_.mtls_host.Handle(request)).status, 421) << host << " " << sni;
    if (sni != "org.localhost" || host != "org.localhost") {
      EXPECT_EQ(Await(gateway_.org_host.Handle(request)).status, 421) << host << " " << sni;
    }
  }
}

TEST_F(GatewayTest, FormsOfOtherSitesAreRefused) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
  const std::string body = "t=" + id + "&username=ada&password=right";
  // Without our cookie, with another origin, with another's transaction.
  EXPECT_EQ(browser_.Post(gateway_, "/signin", body, /*cross_site=*/true).status, 400);
  http::Request request = browser_.NewRequest("POST", "/signin");
  request.fields.Set("content-type", "application/x-www-form-urlencoded");
  request.body = body;
  request.fields.Set("origin", "null");
  EXPECT_EQ(Await(gateway_.org_host.Handle(request)).status, 400);
  request.fields.Remove("origin");
  request.fields.Set("sec-fetch-site", "cross-site");
  EXPECT_EQ(Await(gateway_.org_host.Handle(request)).status, 400);
  request.fields.Set("sec-fetch-site", "same-origin");
  EXPECT_EQ(Await(gateway_.org_host.Handle(request)).status, 303);
  EXPECT_EQ(browser_.Post(gateway_, "/signin", body + "&t=" + id).status, 400);
}

TEST_F(GatewayTest, WrongPasswordsAndOutagesSayWhatToDo) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  const http::Response wrong = browser_.SignIn(gateway_, form, "wrong");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_THAT(wrong.body, HasSubstr("User name or password is wrong."));
  EXPECT_THAT(wrong.body, HasSubstr("value=\"ada@corp.test\""));
  EXPECT_THAT(wrong.body, Not(HasSubstr("value=\"wrong\"")));
  org_.unavailable = true;
  EXPECT_EQ(browser_.SignIn(gateway_, form).status, 503);
  org_.unavailable = false;
  http::Response step = browser_.SignIn(gateway_, form);
  org_.unavailable = true;
  const http::Response down = browser_.Follow(gateway_, std::move(step));
  EXPECT_EQ(down.status, 503);
  EXPECT_THAT(down.body, HasSubstr("DEPENDENCY_UNAVAILABLE"));
  // It recovers where it stood.
  org_.unavailable = false;
  const std::string retry = Between(down.body, "<a href=\"", "\"");
  ExpectSignedResponse(browser_.Follow(gateway_, browser_.Get(gateway_, retry)), "_r1");
}

TEST_F(GatewayTest, APostedRequestComesBackByGetToFindItsSession) {
  browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  const std::string body =
      http::EncodeParameters({{"SAMLRequest", Base64Encode(AsBytes(RequestXml()))}});
  const http::Response step = browser_.Post(gateway_, "/sso/saml", body, /*cross_site=*/true);
  EXPECT_EQ(step.status, 303);
  EXPECT_THAT(Location(step), StartsWith("/continue?t="));
  ExpectSignedResponse(browser_.Follow(gateway_, step), "_r2");
}

TEST_F(GatewayTest, PassiveAndForcedRequests) {
  // Passive without a session: the service provider hears so, nobody sees a form.
  http::Response page = browser_.Get(gateway_, SsoUrl(" IsPassive=\"true\""));
  EXPECT_THAT(ResponseXml(page), HasSubstr("status:NoPassive"));
  browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  page = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl(" IsPassive=\"true\"")));
  ExpectSignedResponse(page, "_r3");
  // Forced with a session: the password again.
  page = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl(" ForceAuthn=\"true\"")));
  EXPECT_THAT(page.body, HasSubstr("current-password"));
  const std::string id = Between(page.body, "name=\"t\" value=\"", "\"");
  page = browser_.Follow(gateway_, browser_.Get(gateway_, "/continue?t=" + id));
  EXPECT_THAT(page.body, HasSubstr("current-password"));
  ExpectSignedResponse(browser_.Follow(gateway_, browser_.SignIn(gateway_, page)), "_r4");
}

TEST_F(GatewayTest, RequestsThatCantBeAnsweredGetAPageAndNoRedirect) {
  const auto deflated = [](const std::string& xml) {
    return "SAMLRequest=" + http::PercentEncode(Base64Encode(AsBytes(Deflate(xml))));
  };
  std::string foreign = RequestXml();
  foreign.replace(foreign.find("/mail</"), 5, "/evil");
  const std::pair<std::string, const char*> table[] = {
      {"SAMLRequest=%41", "SAML_REQUEST_MALFORMED"},
      {deflated("<a"), "SAML_REQUEST_MALFORMED"},
      {deflated("<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>" + RequestXml()),
       "SAML_REQUEST_MALFORMED"},
      {deflated(std::string(100'000, ' ') + RequestXml()), "SAML_REQUEST_MALFORMED"},
      {deflated(foreign), "SAML_UNKNOWN_SERVICE_PROVIDER"},
      {deflated(RequestXml(" AssertionConsumerServiceURL=\"https://evil.example/\"")),
       "SAML_ACS_NOT_REGISTERED"},
      {deflated(RequestXml()) + "&SAMLRequest=x", "SAML_REQUEST_MALFORMED"},
  };
  for (const auto& [query, code] : table) {
    for (const char* path : {"/app/mail/sso/saml?", "/sso/saml?"}) {
      const http::Response page = browser_.Get(gateway_, path + query);
      EXPECT_EQ(page.status, 400) << query;
      EXPECT_THAT(page.body, HasSubstr(code));
      EXPECT_EQ(Location(page), "");
    }
  }
  EXPECT_EQ(browser_.Get(gateway_, "/app/none/sso/saml").status, 404);
  EXPECT_EQ(browser_.Get(gateway_, "/nothing").status, 404);
}

TEST_F(GatewayTest, StartsAtTheAppWithoutARequest) {
  const http::Response form =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml"));
  const http::Response page = browser_.Follow(gateway_, browser_.SignIn(gateway_, form));
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(ResponseXml(page), Not(HasSubstr("InResponseTo")));
}

TEST_F(GatewayTest, SignsOutEverywhere) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  EXPECT_THAT(browser_.Get(gateway_, "/signout").body, HasSubstr("Signed out"));
  EXPECT_TRUE(org_.ended.contains("session-1"));
  EXPECT_FALSE(browser_.cookies.contains(std::string(kSessionCookie)));
}

TEST_F(GatewayTest, AppsWithoutATrustRuleAreNotChallenged) {
  org::v1::ListAppsResponse apps = NewApps();
  apps.set_device_trust_effective(false);
  gateway_.view.apps.Set(std::make_shared<const AppDirectory>(apps));
  const http::Response step =
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  EXPECT_EQ(step.status, 403);  // Decided at once; the fake org wants a proof.
}

TEST_F(GatewayTest, ADoctoredOrOldChallengeIsRefused) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  const std::string url = Location(browser_.Get(gateway_, SsoUrl()));
  std::string doctored = url;
  doctored.back() = doctored.back() == 'A' ? 'B' : 'A';
  EXPECT_EQ(browser_.Get(gateway_, doctored).status, 400);
  EXPECT_EQ(browser_.Get(gateway_, url.substr(0, url.find('?'))).status, 400);
  asio::io_context io;
  clock_.RunUntil(io, kStart + kChallengeLifetime);
  EXPECT_EQ(browser_.Get(gateway_, url).status, 400);
}

TEST_F(GatewayTest, TellsAgentsTheirWay) {
  EXPECT_EQ(browser_.Get(gateway_, "/.well-known/device-trust").status, 503);
  org::v1::ListIwasResponse iwas;
  for (const char* name : {"backup", "main", "off"}) {
    org::v1::Iwa* iwa = iwas.add_iwas();
    iwa->set_name(name);
    iwa->set_address("127.0.0.1:1");
    iwa->set_spn("HTTP/iwa.corp.test");
    iwa->add_forests("corp.test");
    iwa->set_primary(std::string_view(name) == "main");
    iwa->set_enabled(std::string_view(name) != "off");
    iwa->set_device_trust_capable(true);
  }
  ca::v1::GetIssuersResponse issuers;
  issuers.set_edge_address("127.0.0.1:2");
  gateway_.view.discovery.Set(
      std::make_shared<const std::string>(DiscoveryJson("acme", iwas, issuers, "PEM\n\"")));
  EXPECT_EQ(browser_.Get(gateway_, "/.well-known/device-trust").body,
            "{\"org\":\"acme\",\"iwas\":["
            "{\"name\":\"main\",\"address\":\"127.0.0.1:1\",\"spn\":\"HTTP/iwa.corp.test\","
            "\"forests\":[\"corp.test\"],\"primary\":true},"
            "{\"name\":\"backup\",\"address\":\"127.0.0.1:1\",\"spn\":\"HTTP/iwa.corp.test\","
            "\"forests\":[\"corp.test\"],\"primary\":false}],"
            "\"ca_address\":\"127.0.0.1:2\",\"ca_bundle\":\"PEM\\n\\\"\"}");
}

TEST(LiveSetTest, GrowsAndForgets) {
  LiveSet set;
  for (int i = 0; i < 2000; ++i) {
    set.Add({{fmt::format("{:04x}", i), kStart + seconds{i}}});
  }
  EXPECT_EQ(set.size(), 2000U);
  EXPECT_TRUE(set.Find("0000"));
  EXPECT_TRUE(set.Find("07cf"));
  EXPECT_FALSE(set.Find("07d0"));
  set.Add({{"0000", kStart - seconds{1}}});
  EXPECT_EQ(set.Find("0000"), kStart);  // The later moment stays.
  set.Forget(kStart + seconds{1000});
  EXPECT_FALSE(set.Find("0001"));
  EXPECT_TRUE(set.Find("03e8"));
}

}  // namespace
}  // namespace devicetrust::gateway
