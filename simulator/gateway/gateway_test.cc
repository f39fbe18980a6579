// Sign-ons as people and service providers see them.
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/log_sparsely.h"
#include "libs/saml/request.h"
#include "libs/testing/temp_folder.h"
#include "simulator/gateway/gateway_fixture.h"
#include "simulator/gateway/sso/problems.h"

namespace devicetrust::gateway {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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
  browser_.verdict = pki::CertificateVerdict::kNone;
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
  // As an authenticator shows it, with what came along when it was copied.
  EXPECT_THAT(page.body, ::testing::Not(HasSubstr("maxlength=\"6\"")));
  ExpectSignedResponse(
      browser_.Post(gateway_, "/factor", "t=" + id + "&code=%E2%80%8E123+456%C2%A0"), "_r1");
  ExpectSignedResponse(browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())), "_r2");
}

// In a form of its own, since the first has the keys of digits.
TEST_F(GatewayTest, TakesARecoveryCodeInPlaceOfSixDigits) {
  org_.ask_factor = true;
  const http::Response page = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  EXPECT_THAT(page.body, HasSubstr("recovery codes"));
  const std::string id = Between(page.body, "name=\"t\" value=\"", "\"");
  const std::string send = "t=" + id + "&code=";
  EXPECT_EQ(browser_.Post(gateway_, "/factor", send + "0000-0000-0000-0000").status, 422);
  EXPECT_EQ(browser_.Post(gateway_, "/factor", send + "7f3k-9qxd").status, 422);
  // A lock is no dead end: the form stays.
  org_.factor_refusal =
      rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_LOCKED, "");
  const http::Response locked = browser_.Post(gateway_, "/factor", send + "123456");
  EXPECT_EQ(locked.status, 403);
  EXPECT_THAT(locked.body, HasSubstr("recovery code"));
  EXPECT_THAT(locked.body, HasSubstr("action=\"/factor\""));
  org_.factor_refusal = absl::OkStatus();
  ExpectSignedResponse(browser_.Post(gateway_, "/factor", send + "7f3k-9qxd-+2mbp-0v4t"), "_r1");
}

// Nobody is asked for a code that nobody can have.
TEST_F(GatewayTest, WhoHasNoAuthenticatorIsToldSo) {
  org_.ask_factor = true;
  org_.no_authenticator = true;
  const http::Response page = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  EXPECT_EQ(page.status, 403);
  EXPECT_THAT(page.body, HasSubstr("no authenticator"));
  EXPECT_THAT(page.body, HasSubstr("<code>CODE-1</code>"));
  EXPECT_THAT(page.body, Not(HasSubstr("one-time-code")));
}

// A form that can take no code any more has a way on.
TEST_F(GatewayTest, TooManyWrongCodesLeadOn) {
  org_.ask_factor = true;
  const http::Response form = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
  org_.factor_refusal =
      rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_FACTOR_ATTEMPTS_SPENT,
                     "too many", {}, {}, std::chrono::seconds(60));
  const http::Response spent = browser_.Post(gateway_, "/factor", "t=" + id + "&code=000000");
  EXPECT_EQ(spent.status, 429);
  EXPECT_THAT(spent.body, Not(HasSubstr("one-time-code")));
  const std::string on = Between(spent.body, "<a href=\"", "\"");
  org_.factor_refusal = absl::OkStatus();
  EXPECT_THAT(browser_.Follow(gateway_, browser_.Get(gateway_, on)).body,
              HasSubstr("one-time-code"));
  org_.factor_refusal =
      rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_LOCKED, "");
  const http::Response locked = browser_.Post(gateway_, "/factor", "t=" + id + "&code=000000");
  EXPECT_EQ(locked.status, 403);
  EXPECT_THAT(locked.body, HasSubstr("administrator"));
}

// A browser follows a form's redirects only to where the page's form-action allows.
TEST_F(GatewayTest, ACodeForAnOldDecisionLeadsToAnotherChallenge) {
  org_.ask_factor = true;
  const http::Response page = browser_.Follow(
      gateway_,
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()))));
  EXPECT_THAT(std::string(page.fields.Find("content-security-policy").value_or("")),
              HasSubstr("form-action 'self' https://*.mtls.localhost:8444"));
  const std::string id = Between(page.body, "name=\"t\" value=\"", "\"");
  org_.ForgetDecisions();
  http::Response step = browser_.Post(gateway_, "/factor", "t=" + id + "&code=123456");
  EXPECT_THAT(Location(step), HasSubstr(".mtls.localhost:8444/challenge?c="));
  EXPECT_THAT(browser_.Follow(gateway_, std::move(step)).body, HasSubstr("one-time-code"));
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

TEST_F(GatewayTest, TabsLeftBehindGiveWayToNewOnes) {
  const auto begin = [&](const std::string& url) {
    clock_.Advance(seconds{1});
    return browser_.Get(gateway_, url);
  };
  const http::Response first = begin(SsoUrl());
  for (std::size_t i = 1; i < kTransactionsMax; ++i) begin(SsoUrl());
  EXPECT_EQ(browser_.cookies.size(), kTransactionsMax);
  EXPECT_EQ(browser_.Get(gateway_, Location(first)).status, 200);
  const http::Response second = begin(SsoUrl());
  EXPECT_EQ(browser_.cookies.size(), kTransactionsMax);
  EXPECT_EQ(browser_.Get(gateway_, Location(first)).status, 400);
  ExpectSignedResponse(
      browser_.Follow(gateway_,
                      browser_.SignIn(gateway_, browser_.Get(gateway_, Location(second)))),
      fmt::format("_r{}", requests_));
  // Large ones: fewer.
  for (std::size_t i = 0; i < kTransactionsMax; ++i) {
    begin(SsoUrl(" ForceAuthn=\"true\"") + std::string(1000, 'x'));
  }
  browser_.cookies.erase(std::string(kSessionCookie));
  std::size_t bytes = 0;
  for (const auto& [name, value] : browser_.cookies) bytes += name.size() + value.size();
  EXPECT_LE(bytes, kTransactionBytesMax);
  EXPECT_LT(browser_.cookies.size(), kTransactionsMax);
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

// Anybody can ask as often as they like while the org is away.
TEST_F(GatewayTest, AFloodDuringAnOutageIsLoggedInSums) {
  const testing::TempFolder folder;
  LogSums();  // A period begins.
  DT_ASSERT_OK(SetLogFile(folder / "log"));
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl()));
  org_.unavailable = true;
  constexpr int kMore = 7;
  for (int i = 0; i < static_cast<int>(kSparseLinesOfEach) + kMore; ++i) {
    EXPECT_EQ(browser_.SignIn(gateway_, form).status, 503);
    ProblemResponse(gateway_.site, reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  }
  LogSums();
  const std::string log = ReadFile(folder / "log").value();
  for (const std::string_view event : {"gateway.password.unchecked", "gateway.request.failed"}) {
    const std::string line = fmt::format("\"event\":\"{}\"", event);
    std::size_t lines = 0;
    for (std::size_t at = 0; (at = log.find(line, at)) != log.npos; ++at) ++lines;
    EXPECT_EQ(lines, kSparseLinesOfEach) << log;
    EXPECT_THAT(log, ContainsRegex(fmt::format("\"of\":\"{}\".*\"count\":{}", event, kMore)));
  }
}

TEST_F(GatewayTest, AnOutageWithinOneRedirectCanBeTriedAgain) {
  org::v1::ListAppsResponse apps = NewApps();
  apps.mutable_apps(0)->set_needs_device_challenge(false);  // Decided at once, without a challenge.
  gateway_.snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  org_.unavailable = true;
  const http::Response down = browser_.Get(gateway_, SsoUrl());
  EXPECT_EQ(down.status, 503);
  EXPECT_EQ(down.fields.Find("retry-after"), "5");
  org_.unavailable = false;
  const std::string retry = Between(down.body, "<a href=\"", "\"");
  EXPECT_THAT(browser_.Follow(gateway_, browser_.Get(gateway_, retry)).body,
              HasSubstr("<code>CODE-2</code>"));
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
  EXPECT_THAT(page.body, Not(HasSubstr("Signed in")));
  EXPECT_THAT(page.body, HasSubstr("Continuing to <bdi>Mail &amp; &lt;more&gt;</bdi>"));
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

// What can't be done is the app's to know, at the address of its metadata and nowhere else; without
// such an address it is a page.
TEST_F(GatewayTest, WhatCantBeDoneIsAStatusForTheApp) {
  const auto url = [this](std::string_view attributes, std::string_view content) {
    return SsoUrl(attributes, content);
  };
  constexpr std::string_view kContext =
      "<samlp:RequestedAuthnContext "
      "Comparison=\"{}\"><saml:AuthnContextClassRef>urn:oasis:names:tc:"
      "SAML:2.0:ac:classes:{}</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>";
  constexpr std::string_view kArtifact =
      " ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact\"";
  const std::pair<std::string, const char*> table[] = {
      {url("", fmt::format(kContext, "exact", "Smartcard")), "NoAuthnContext"},
      {url("", fmt::format(kContext, "minimum", "X509")), "NoAuthnContext"},
      {url("", fmt::format(kContext, "better", "PasswordProtectedTransport")), "NoAuthnContext"},
      {url("", "<samlp:NameIDPolicy Format=\"urn:x\"/>"), "InvalidNameIDPolicy"},
      {url("",
           "<samlp:Scoping><samlp:IDPList><samlp:IDPEntry ProviderID=\"urn:x\"/>"
           "</samlp:IDPList></samlp:Scoping>"),
       "NoSupportedIDP"},
      {url(kArtifact, ""), "UnsupportedBinding"},
      {url(" IsPassive=\"1\"", ""), "NoPassive"},
  };
  for (const auto& [address, status] : table) {
    const http::Response page = browser_.Follow(gateway_, browser_.Get(gateway_, address));
    EXPECT_THAT(page.body, HasSubstr("action=\"https://sp.example/acs?a=1&amp;b=2\"")) << status;
    EXPECT_THAT(ResponseXml(page), HasSubstr(fmt::format("status:{}\"", status)));
    EXPECT_THAT(ResponseXml(page), Not(HasSubstr("saml:Assertion")));
  }
  const http::Response page = browser_.Get(
      gateway_, SsoUrl(fmt::format("{} AssertionConsumerServiceURL=\"https://evil.example/acs\"",
                                   kArtifact)));
  EXPECT_EQ(page.status, 400);
  EXPECT_THAT(page.body, Not(HasSubstr("<form")));
}

TEST_F(GatewayTest, AnswersOnlyAboutTheSubjectThatWasAskedFor) {
  const auto subject = [](std::string_view name_id) {
    return fmt::format("<saml:Subject>{}</saml:Subject>", name_id);
  };
  const auto follow = [&](std::string_view name_id) {
    return browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl("", subject(name_id))));
  };
  // Kept while the person signs in.
  const http::Response form = follow("<saml:NameID>bob@corp.test</saml:NameID>");
  http::Response page = browser_.Follow(gateway_, browser_.SignIn(gateway_, form));
  EXPECT_THAT(ResponseXml(page), HasSubstr("status:UnknownPrincipal"));
  EXPECT_THAT(ResponseXml(page), Not(HasSubstr("saml:Assertion")));
  EXPECT_EQ(org_.evaluations(), 0);  // Nobody was allowed anything, nor asked for a code.
  ExpectSignedResponse(follow("<saml:NameID>ada@corp.test</saml:NameID>"), "_r2");
  page = follow("<saml:NameID NameQualifier=\"https://other.example\">ada@corp.test</saml:NameID>");
  EXPECT_THAT(ResponseXml(page), HasSubstr("status:UnknownPrincipal"));
  page = follow("<saml:EncryptedID/>");
  EXPECT_THAT(ResponseXml(page), HasSubstr("status:RequestUnsupported"));

  // The name that an answer gave is one to ask for, in its format.
  const std::string persistent = fmt::format(" Format=\"{}\"", saml::kNameIdPersistent);
  page = browser_.Follow(
      gateway_, browser_.Get(gateway_, SsoUrl("", "<samlp:NameIDPolicy" + persistent + "/>")));
  const std::string name = Between(ResponseXml(page), persistent + ">", "<");
  EXPECT_EQ(name.size(), 64U);
  ExpectSignedResponse(follow(fmt::format("<saml:NameID{}>{}</saml:NameID>", persistent, name)),
                       "_r6");
  page = follow(fmt::format("<saml:NameID{}>{}x</saml:NameID>", persistent, name));
  EXPECT_THAT(ResponseXml(page), HasSubstr("status:UnknownPrincipal"));
}

TEST_F(GatewayTest, StartsAtTheAppWithoutARequest) {
  const http::Response form =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml"));
  const http::Response page = browser_.Follow(gateway_, browser_.SignIn(gateway_, form));
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(ResponseXml(page), Not(HasSubstr("InResponseTo")));
}

TEST_F(GatewayTest, PassesTheRelayStateOfALinkOn) {
  org::v1::ListAppsResponse apps = NewApps();
  apps.mutable_apps(0)->mutable_saml()->set_default_relay_state("home");
  gateway_.snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
  const http::Response form =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml?RelayState=a%26b"));
  const http::Response page = browser_.Follow(gateway_, browser_.SignIn(gateway_, form));
  EXPECT_THAT(page.body, HasSubstr("name=\"RelayState\" value=\"a&amp;b\""));
  const auto follow = [&](const std::string& query) {
    return browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml" + query));
  };
  for (const std::string& query : {std::string(), std::string("?RelayState=")}) {
    EXPECT_THAT(follow(query).body, HasSubstr("name=\"RelayState\" value=\"home\"")) << query;
  }
  const std::string address(4096, 'x');
  EXPECT_THAT(follow("?RelayState=" + address).body,
              HasSubstr("name=\"RelayState\" value=\"" + address + "\""));
  const http::Response longer = follow("?RelayState=" + address + "x");
  EXPECT_EQ(longer.status, 400);
  EXPECT_THAT(longer.body, HasSubstr("RelayState has 4097 bytes, and 4096 at most are carried"));
  EXPECT_EQ(follow("?RelayState=a&RelayState=b").status, 400);
}

TEST_F(GatewayTest, SignsOutEverywhere) {
  browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  EXPECT_THAT(browser_.Get(gateway_, "/signout").body,
              HasSubstr("<form method=\"post\" action=\"/signout\">"));
  EXPECT_THAT(browser_.Post(gateway_, "/signout", "").body, HasSubstr("Signed out"));
  EXPECT_TRUE(org_.ended.contains("session-1"));
  EXPECT_FALSE(browser_.cookies.contains(std::string(kSessionCookie)));
  EXPECT_THAT(browser_.Get(gateway_, "/signout").body, HasSubstr("Signed out"));
}

// RFC 9110, sections 9.1 and 15.5.6.
TEST_F(GatewayTest, AddressesSayHowTheyAreUsed) {
  const std::string mtls = "https://mtls.localhost";
  for (const std::string& url :
       {std::string("/"), std::string("/continue"), std::string("/proof"), std::string("/refused"),
        std::string("/mark"), std::string("/saml/metadata"),
        std::string("/.well-known/device-trust"), mtls + "/check", mtls + "/challenge"}) {
    const http::Response response = browser_.Post(gateway_, url, "t=1");
    EXPECT_EQ(response.status, 405) << url;
    EXPECT_EQ(response.fields.Find("allow"), "GET, HEAD") << url;
    EXPECT_EQ(browser_.Send(gateway_, browser_.NewRequest("HEAD", url)).status,
              browser_.Get(gateway_, url).status)
        << url;
  }
  EXPECT_EQ(browser_.Post(gateway_, "/nothing", "").status, 404);
  EXPECT_EQ(browser_.Post(gateway_, mtls + "/nothing", "").status, 404);
  EXPECT_EQ(browser_.Get(gateway_, mtls + "/check").status, 200);
}

TEST_F(GatewayTest, AppsWithoutATrustRuleAreNotChallenged) {
  org::v1::ListAppsResponse apps = NewApps();
  apps.mutable_apps(0)->set_needs_device_challenge(false);
  gateway_.snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
  const http::Response step =
      browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, SsoUrl())));
  // Decided at once; the fake org wants a proof.
  EXPECT_THAT(Location(step), StartsWith("/refused?r="));
}

TEST_F(GatewayTest, TellsAgentsTheirWay) {
  EXPECT_EQ(browser_.Get(gateway_, "/.well-known/device-trust").status, 503);
  org::v1::ListIwasResponse iwas;
  for (const char* name : {"ill", "backup", "away", "main", "off", "mute", "strange", "unused"}) {
    org::v1::Iwa* iwa = iwas.add_iwas();
    iwa->set_name(name);
    iwa->set_address("127.0.0.1:1");
    iwa->set_spn("HTTP/iwa.corp.test");
    iwa->add_domains("corp.test");
    iwa->add_domains("other.test");
    const std::string_view granted =
        std::string_view(name) == "strange" ? "else.test" : "CORP.test";
    if (std::string_view(name) != "mute") iwa->add_granted_domains(std::string(granted));
    iwa->set_primary(std::string_view(name) == "main" || std::string_view(name) == "away");
    iwa->set_online(std::string_view(name) != "away");
    if (std::string_view(name) == "ill") iwa->set_problem("no directory of corp.test answers");
    iwa->set_withheld(std::string_view(name) == "unused");
    iwa->set_enabled(std::string_view(name) != "off");
    iwa->set_device_trust_capable(true);
  }
  gateway_.snapshots.discovery.Set(std::make_shared<const std::string>(
      DiscoveryJson("acme", iwas, "127.0.0.1:2", "PEM\n\"", "mtls.localhost")));
  EXPECT_EQ(browser_.Get(gateway_, "/.well-known/device-trust").body,
            "{\"org\":\"acme\",\"iwas\":["
            "{\"name\":\"main\",\"address\":\"127.0.0.1:1\",\"spn\":\"HTTP/iwa.corp.test\","
            "\"domains\":[\"corp.test\"],\"primary\":true},"
            "{\"name\":\"backup\",\"address\":\"127.0.0.1:1\",\"spn\":\"HTTP/iwa.corp.test\","
            "\"domains\":[\"corp.test\"],\"primary\":false},"
            "{\"name\":\"ill\",\"address\":\"127.0.0.1:1\",\"spn\":\"HTTP/iwa.corp.test\","
            "\"domains\":[\"corp.test\"],\"primary\":false},"
            "{\"name\":\"away\",\"address\":\"127.0.0.1:1\",\"spn\":\"HTTP/iwa.corp.test\","
            "\"domains\":[\"corp.test\"],\"primary\":true}],"
            "\"ca_address\":\"127.0.0.1:2\",\"ca_bundle\":\"PEM\\n\\\"\","
            "\"mtls_host\":\"mtls.localhost\"}");
}

}  // namespace
}  // namespace devicetrust::gateway
