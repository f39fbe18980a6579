// WS-Federation at the gateway, whole ways without sockets: sign-ons, mail clients, and attacks.
#include "libs/wsfed/names.h"
#include "libs/wsfed/token.h"
#include "simulator/gateway/gateway_fixture.h"
#include "simulator/gateway/wsfed/addresses.h"
#include "simulator/gateway/wsfed/wsfed_front_end.h"

namespace devicetrust::gateway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kRealm = "urn:example:crm";
constexpr std::string_view kReply = "https://crm.example/wsfed?a=1&b=2";

std::string Unescaped(std::string text) {
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"&lt;", "<"},
                                 {"&gt;", ">"},
                                 {"&quot;", "\""},
                                 {"&#39;", "'"},
                                 {"&amp;", "&"}}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
  }
  return text;
}

class WsFedGatewayTest : public GatewayTest {
 protected:
  WsFedGatewayTest() {
    SetApps([](org::v1::App&) {});
  }

  // The app of the fixture and two that speak WS-Federation; `change`: of the first of these.
  void SetApps(const std::function<void(org::v1::App&)>& change) {
    org::v1::ListAppsResponse apps = NewApps();
    org::v1::App& crm = *apps.add_apps();
    crm.set_id("crm");
    crm.set_label("Customers");
    crm.mutable_ws_fed()->set_realm(std::string(kRealm));
    crm.mutable_ws_fed()->add_reply_urls(std::string(kReply));
    crm.mutable_ws_fed()->add_reply_urls("https://crm.example/other");
    crm.set_needs_device_challenge(true);
    change(crm);
    org::v1::App& office = *apps.add_apps();
    office.set_id("office");
    office.set_label("Office");
    office.set_has_client_conditions(true);
    office.mutable_ws_fed()->set_realm("urn:federation:MicrosoftOnline");
    office.mutable_ws_fed()->add_reply_urls("https://login.example/login.srf");
    office.mutable_ws_fed()->set_claims(org::v1::WsFedRelyingParty::CLAIMS_OFFICE_365);
    office.set_needs_device_challenge(true);
    for (Gateway* gateway : {&gateway_, &other_}) {
      gateway->snapshots.apps.Set(std::make_shared<const AppDirectory>(apps));
    }
  }

  using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

  static std::string Url(Pairs more = {}) {
    Pairs pairs = {{"wa", "wsignin1.0"}, {"wtrealm", kRealm}};
    pairs.insert(pairs.end(), more.begin(), more.end());
    return "/sso/wsfed?" + http::EncodeParameters(pairs);
  }

  http::Response SignOn(const std::string& url) {
    return browser_.Follow(
        gateway_,
        browser_.SignIn(gateway_, browser_.Follow(gateway_, browser_.Get(gateway_, url))));
  }

  // A page of an app asks for it, which then goes on to `reply`.
  http::Response SignOutByApp(std::string_view reply) {
    return browser_.Follow(
        gateway_,
        browser_.Get(gateway_, "/sso/wsfed?" + http::EncodeParameters(
                                                   {{"wa", "wsignout1.0"}, {"wreply", reply}})));
  }

  static std::string TokenIn(const http::Response& page) {
    return Unescaped(Between(page.body, "name=\"wresult\" value=\"", "\""));
  }

  static void ExpectToken(const http::Response& page, std::string_view realm = kRealm) {
    ASSERT_EQ(page.status, 200) << page.body;
    EXPECT_THAT(page.body, HasSubstr("name=\"wa\" value=\"wsignin1.0\""));
    const std::string xml = TokenIn(page);
    const auto document = saml::XmlDocument::Parse(xml);
    DT_ASSERT_OK(document);
    EXPECT_TRUE(document->root().Is(wsfed::kTrust2005Ns, "RequestSecurityTokenResponse"));
    EXPECT_THAT(xml, HasSubstr(fmt::format("Audience>{}<", realm)));
  }

  static void ExpectProblem(const http::Response& page, const char* reason) {
    EXPECT_EQ(page.status, 400) << page.body;
    EXPECT_THAT(page.body, HasSubstr(reason));
    EXPECT_THAT(page.body, AllOf(HasSubstr("<a href="), Not(HasSubstr("<form")),
                                 Not(HasSubstr("href=\"https://evil"))));
    EXPECT_EQ(page.fields.Count("location"), 0U);
  }

  // What Exchange Online sends for a mail client with basic authentication.
  http::Request MailClient(std::string_view password = "right",
                           std::string_view realm = "urn:federation:MicrosoftOnline") {
    http::Request request = browser_.NewRequest("POST", "/sso/wsfed/active");
    request.fields.Set("content-type", "application/soap+xml; charset=utf-8");
    request.body = fmt::format(
        R"(<s:Envelope xmlns:s="{}"><s:Header><o:Security xmlns:o="{}"><o:UsernameToken>)"
        R"(<o:Username>ada@corp.test</o:Username><o:Password>{}</o:Password></o:UsernameToken>)"
        R"(</o:Security></s:Header><s:Body><t:RequestSecurityToken xmlns:t="{}"><t:RequestType>)"
        R"({}/Issue</t:RequestType><p:AppliesTo xmlns:p="{}"><a:EndpointReference xmlns:a="{}">)"
        R"(<a:Address>{}</a:Address></a:EndpointReference></p:AppliesTo></t:RequestSecurityToken>)"
        R"(</s:Body></s:Envelope>)",
        wsfed::kSoap12Ns, wsfed::kSecurityNs, password, wsfed::kTrust2005Ns, wsfed::kTrust2005Ns,
        wsfed::kPolicyNs, wsfed::kAddressingNs, realm);
    return request;
  }
};

// Else everybody behind the mail service has one address: one guesser shuts all of them out.
TEST_F(WsFedGatewayTest, AMailServiceOfTheOperatorSaysWhoseAddressItIs) {
  const auto address_told = [&](const std::string& value, int times = 1) {
    http::Request request = MailClient();
    for (int i = 0; i < times; ++i) request.fields.Add("X-MS-Forwarded-Client-IP", value);
    browser_.Send(gateway_, request);
    return org_.last_client.address();
  };
  EXPECT_EQ(address_told("198.51.100.9"), "192.0.2.7");  // Nobody's mail service.
  gateway_.site.mail_hosts = http::Networks::Parse({"192.0.2.0/24"}, "--mail-hosts-from").value();
  EXPECT_EQ(address_told("198.51.100.9"), "198.51.100.9");
  EXPECT_EQ(address_told("10.0.0.1, 198.51.100.10"), "198.51.100.10");
  EXPECT_EQ(address_told("nonsense"), "192.0.2.7");
  EXPECT_EQ(address_told("198.51.100.9", 2), "192.0.2.7");
  EXPECT_EQ(address_told("fe80::1%1"), "192.0.2.7");
}

TEST_F(WsFedGatewayTest, ATrustedDeviceGetsATokenWithItsContext) {
  const std::string context = "rm=0&id=\"<x>'&ru=%2f\xc3\xab";
  const http::Response page = SignOn(Url({{"wctx", context}}));
  ExpectToken(page);
  EXPECT_EQ(Unescaped(Between(page.body, "action=\"", "\"")), kReply);
  EXPECT_EQ(Unescaped(Between(page.body, "name=\"wctx\" value=\"", "\"")), context);
  EXPECT_THAT(TokenIn(page), HasSubstr("urn:oasis:names:tc:SAML:1.0:assertion"));
  // In the session the next app asks nothing.
  ExpectToken(browser_.Follow(gateway_, browser_.Get(gateway_, "/app/crm/sso/wsfed")));
}

TEST_F(WsFedGatewayTest, ARegisteredReplyAndSaml20OnRequest) {
  SetApps([](org::v1::App& crm) {
    crm.mutable_ws_fed()->set_token_type(org::v1::WsFedRelyingParty::TOKEN_TYPE_SAML_2_0);
  });
  const http::Response page = SignOn(Url({{"wreply", "https://crm.example/other"}}));
  ExpectToken(page);
  EXPECT_EQ(Between(page.body, "action=\"", "\""), "https://crm.example/other");
  EXPECT_THAT(TokenIn(page), HasSubstr("Recipient=\"https://crm.example/other\""));
}

// A form comes from another site, without the session's cookie.
TEST_F(WsFedGatewayTest, APostedRequestComesBackByGetToFindItsSession) {
  ExpectToken(SignOn(Url()));
  const http::Response step = browser_.Post(
      gateway_, "/sso/wsfed", http::EncodeParameters({{"wa", "wsignin1.0"}, {"wtrealm", kRealm}}),
      /*cross_site=*/true);
  EXPECT_EQ(step.status, 303);
  ExpectToken(browser_.Follow(gateway_, step));
}

TEST_F(WsFedGatewayTest, StartsAtTheAppWithoutARequest) {
  ExpectToken(SignOn("/app/crm/sso/wsfed"));
  EXPECT_EQ(browser_.Get(gateway_, "/app/mail/sso/wsfed").status, 404);
  EXPECT_EQ(browser_.Get(gateway_, "/app/crm/sso/saml").status, 404);
}

TEST_F(WsFedGatewayTest, WfreshAsksForThePasswordAgain) {
  ExpectToken(SignOn(Url()));
  const auto asks = [this](const char* age) {
    const http::Response page =
        browser_.Follow(gateway_, browser_.Get(gateway_, Url({{"wfresh", age}})));
    return page.body.find("name=\"password\"") != std::string::npos;
  };
  EXPECT_TRUE(asks("0"));
  EXPECT_FALSE(asks("5"));
  clock_.Set(kStart + minutes{6});
  EXPECT_TRUE(asks("5"));
  EXPECT_FALSE(asks("60"));
  ExpectToken(SignOn(Url({{"wfresh", "5"}})));
}

TEST_F(WsFedGatewayTest, WauthOfMultipleFactorsNeedsOne) {
  const Pairs multiple = {{"wauth", "http://schemas.microsoft.com/claims/multipleauthn"}};
  ExpectProblem(SignOn(Url(multiple)), "WSFED_AUTHENTICATION_NOT_POSSIBLE");
  org_.ask_factor = true;
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, Url(multiple)));
  const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
  ExpectToken(browser_.Post(gateway_, "/factor", "t=" + id + "&code=123456"));
}

TEST_F(WsFedGatewayTest, AnAppThatIsChangedMeanwhileGetsNoToken) {
  const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, Url()));
  SetApps([](org::v1::App& crm) {
    crm.mutable_ws_fed()->clear_reply_urls();
    crm.mutable_ws_fed()->add_reply_urls("https://crm.example/new");
  });
  EXPECT_EQ(browser_.Follow(gateway_, browser_.SignIn(gateway_, form)).status, 404);
}

TEST_F(WsFedGatewayTest, MetadataIsTheSameForAllGatewaysAndKeys) {
  const http::Response metadata = browser_.Get(gateway_, std::string(kFederationMetadataPath));
  EXPECT_EQ(metadata.status, 200);
  const auto document = saml::XmlDocument::Parse(metadata.body, {.elements_max = 200});
  DT_ASSERT_OK(document);
  DT_EXPECT_OK(saml::VerifyRootSignature(
      *document, {pki::Certificate::FromPem(SharedKeys().saml_keys(0).certificate_pem()).value()}));
  EXPECT_EQ(document->root().Attribute("entityID"), WsFedIssuer(gateway_.site));
  EXPECT_EQ(browser_.Get(other_, std::string(kFederationMetadataPath)).body, metadata.body);
  EXPECT_EQ(browser_.Post(gateway_, std::string(kFederationMetadataPath), "").status, 405);
}

// Attack: the token is sent to an address of the attacker's.
TEST_F(WsFedGatewayTest, AnUnregisteredWreplyGetsAPageAndNoRedirect) {
  for (const char* bad : {"https://evil.example/", "https://crm.example/wsfed?a=1&b=3",
                          "https://crm.example/other/", "javascript:alert(1)"}) {
    ExpectProblem(browser_.Get(gateway_, Url({{"wreply", bad}})), "WSFED_REPLY_NOT_REGISTERED");
    // Nor by way of the app's own address.
    ExpectProblem(browser_.Get(gateway_, "/app/crm/sso/wsfed?wreply=" + http::PercentEncode(bad)),
                  "WSFED_REPLY_NOT_REGISTERED");
  }
}

// Attack: a token of one app is had for the realm of another.
TEST_F(WsFedGatewayTest, ARealmIsAnsweredAtItsOwnAppOnly) {
  ExpectProblem(browser_.Get(gateway_, "/app/crm/sso/wsfed?" +
                                           http::EncodeParameters(
                                               {{"wa", "wsignin1.0"},
                                                {"wtrealm", "urn:federation:MicrosoftOnline"}})),
                "WSFED_UNKNOWN_REALM");
  ExpectProblem(browser_.Get(gateway_, "/sso/wsfed?wa=wsignin1.0&wtrealm=urn%3Aother"),
                "WSFED_UNKNOWN_REALM");
  // A reply URL of one app is none of another's.
  ExpectProblem(browser_.Get(gateway_, Url({{"wreply", "https://login.example/login.srf"}})),
                "WSFED_REPLY_NOT_REGISTERED");
}

// Attack: what came in the request is run in our page.
TEST_F(WsFedGatewayTest, NothingOfARequestIsReflected) {
  const std::string script = "\"><script>alert(1)</script>";
  for (const char* name :
       {"wa", "wtrealm", "wreply", "wctx", "wfresh", "wauth", "wreq", "wreqptr", "wp", "whr"}) {
    const http::Response page = browser_.Follow(
        gateway_, browser_.Get(gateway_, "/app/crm/sso/wsfed?wa=wsignin1.0&" +
                                             http::EncodeParameters({{name, script}})));
    EXPECT_THAT(page.body, Not(HasSubstr("<script>alert"))) << name;
  }
  const http::Response page = SignOn(Url({{"wctx", script}}));
  EXPECT_THAT(page.body, AllOf(Not(HasSubstr("<script>alert")),
                               HasSubstr("&quot;&gt;&lt;script&gt;alert(1)")));
}

TEST_F(WsFedGatewayTest, ARequestThatAsksForNothingKnownGetsAPage) {
  for (const char* url :
       {"/sso/wsfed", "/sso/wsfed?wa=wsignin1.0", "/sso/wsfed?wtrealm=x",
        "/app/crm/sso/wsfed?wa=wattr1.0", "/app/crm/sso/wsfed?wa=",
        "/app/crm/sso/wsfed?wa=wsignin1.0&wa=wsignin1.0", "/app/crm/sso/wsfed?%zz"}) {
    const http::Response page = browser_.Get(gateway_, url);
    EXPECT_EQ(page.status, 400) << url;
    EXPECT_THAT(page.body, HasSubstr("<a href=")) << url;
  }
}

// Attack: the same answer is posted twice. Each token is another one, so an app that keeps the ids
// of the last five minutes finds a double.
TEST_F(WsFedGatewayTest, EachTokenHasAnIdOfItsOwn) {
  const std::string one = Between(TokenIn(SignOn(Url())), "AssertionID=\"", "\"");
  const std::string two = Between(TokenIn(browser_.Follow(gateway_, browser_.Get(gateway_, Url()))),
                                  "AssertionID=\"", "\"");
  EXPECT_EQ(one.size(), 41U);
  EXPECT_NE(one, two);
}

TEST_F(WsFedGatewayTest, TheRulesHearWhatKindOfClientItIs) {
  ExpectToken(SignOn(Url()));
  EXPECT_EQ(org_.last_kind, org::v1::CLIENT_KIND_UNSPECIFIED);  // "Test/1.0".
  http::Request request = browser_.NewRequest("GET", "/app/office/sso/wsfed");
  const http::Response step = browser_.Send(gateway_, request);
  http::Request proof =
      browser_.NewRequest("GET", Location(browser_.Get(gateway_, Location(step))));
  proof.fields.Set("user-agent", "Mozilla/5.0 (iPhone) PKeyAuth/1.0");
  ExpectToken(browser_.Send(gateway_, proof), "urn:federation:MicrosoftOnline");
  EXPECT_EQ(org_.last_kind, org::v1::CLIENT_KIND_MODERN_AUTH);
}

TEST_F(WsFedGatewayTest, AMailClientSignsInWhereTheRulesLetIt) {
  org_.allow_legacy = true;
  const http::Response answer = browser_.Send(gateway_, MailClient());
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.fields.Find("content-type"), "application/soap+xml; charset=utf-8");
  EXPECT_EQ(org_.last_kind, org::v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY);
  DT_ASSERT_OK(saml::XmlDocument::Parse(answer.body));
  EXPECT_THAT(answer.body, HasSubstr("Audience>urn:federation:MicrosoftOnline<"));
  EXPECT_EQ(answer.fields.Count("set-cookie"), 0U);
  EXPECT_EQ(org_.ended.size(), 1U);  // The session served this one token.
}

TEST_F(WsFedGatewayTest, AMailClientThatTheRulesRefuseHearsWhyWithACode) {
  const http::Response refused = browser_.Send(gateway_, MailClient());
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body,
              AllOf(HasSubstr("RequestFailed"), HasSubstr("CODE-1"), Not(HasSubstr("Assertion"))));
  EXPECT_EQ(org_.ended.size(), 1U);
  org_.allow_legacy = true;
  org_.ask_factor = true;
  EXPECT_THAT(browser_.Send(gateway_, MailClient()).body, HasSubstr("second factor"));
}

TEST_F(WsFedGatewayTest, AMailClientWithAWrongPasswordLearnsNoMore) {
  org_.allow_legacy = true;
  const http::Response wrong = browser_.Send(gateway_, MailClient("wrong"));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, AllOf(HasSubstr("FailedAuthentication"), Not(HasSubstr("ada"))));
  EXPECT_EQ(org_.evaluations(), 0);
  org_.unavailable = true;
  EXPECT_EQ(browser_.Send(gateway_, MailClient()).status, 503);
}

// No password is looked at for an app that does not know such clients: else rules for browsers
// would be gone round.
TEST_F(WsFedGatewayTest, OnlyAppsThatTellClientsApartTakeMailClients) {
  org_.allow_legacy = true;
  EXPECT_THAT(browser_.Send(gateway_, MailClient("right", kRealm)).body,
              HasSubstr("with a browser"));
  EXPECT_THAT(browser_.Send(gateway_, MailClient("right", "urn:other")).body,
              HasSubstr("InvalidRequest"));
  http::Request other_path = MailClient();
  other_path.path = "/app/crm/sso/wsfed/active";
  EXPECT_THAT(browser_.Send(gateway_, other_path).body, HasSubstr("InvalidRequest"));
  EXPECT_EQ(org_.evaluations(), 0);
  http::Request own_path = MailClient();
  own_path.path = "/app/office/sso/wsfed/active";
  EXPECT_EQ(browser_.Send(gateway_, own_path).status, 200);
}

TEST_F(WsFedGatewayTest, WhatIsNoEnvelopeIsAFaultAndAPersonGetsAPage) {
  http::Request request = MailClient();
  request.body = "<script>alert(1)</script>";
  http::Response answer = browser_.Send(gateway_, request);
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, AllOf(HasSubstr("s:Fault"), Not(HasSubstr("<script>"))));
  request = MailClient();
  request.fields.Set("content-type", "application/x-www-form-urlencoded");  // As any site can.
  EXPECT_EQ(browser_.Send(gateway_, request).status, 400);
  EXPECT_EQ(org_.evaluations(), 0);
  answer = browser_.Get(gateway_, "/sso/wsfed/active");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr("mail programs"));
}

TEST_F(WsFedGatewayTest, ASignOutEndsTheSessionAndTellsTheAppsOfIt) {
  ExpectToken(SignOn(Url()));
  ExpectToken(browser_.Follow(gateway_, browser_.Get(gateway_, "/app/office/sso/wsfed")),
              "urn:federation:MicrosoftOnline");
  const http::Response page = SignOutByApp(kReply);
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(org_.ended.size(), 1U);
  EXPECT_FALSE(browser_.cookies.contains(std::string(kSessionCookie)));
  const std::string body = Unescaped(page.body);
  EXPECT_THAT(body, HasSubstr(fmt::format("src=\"{}&wa=wsignoutcleanup1.0\"", kReply)));
  EXPECT_THAT(body, HasSubstr("src=\"https://login.example/login.srf?wa=wsignoutcleanup1.0\""));
  EXPECT_THAT(body, HasSubstr(fmt::format("href=\"{}\">Back to Customers", kReply)));
  EXPECT_THAT(std::string(page.fields.Find("content-security-policy").value_or("")),
              AllOf(HasSubstr("img-src https://crm.example https://login.example"),
                    HasSubstr("default-src 'none'")));
  // Each app once, and nobody who was not there. Our own sign-out tells them, too.
  EXPECT_THAT(SignOutByApp("").body, Not(HasSubstr("<img")));
  ExpectToken(SignOn(Url()));
  const http::Response own = browser_.Post(gateway_, "/signout", "");
  EXPECT_THAT(own.body, AllOf(HasSubstr("crm.example/wsfed"), Not(HasSubstr("login.example"))));
}

TEST_F(WsFedGatewayTest, APostedSignOutComesBackByGetToFindItsSession) {
  ExpectToken(SignOn(Url()));
  const http::Response step = browser_.Post(
      gateway_, "/sso/wsfed", http::EncodeParameters({{"wa", "wsignout1.0"}, {"wreply", kReply}}),
      /*cross_site=*/true);
  EXPECT_TRUE(org_.ended.empty());
  EXPECT_THAT(browser_.Follow(gateway_, step).body, HasSubstr("Back to Customers"));
  EXPECT_EQ(org_.ended.size(), 1U);
}

// Attack: after a sign-out the person is led to an address of the attacker's.
TEST_F(WsFedGatewayTest, ASignOutLeadsToRegisteredAddressesOnly) {
  for (const char* bad : {"https://evil.example/", "https://crm.example/", "javascript:alert(1)",
                          "//evil.example", "https://crm.example/wsfed?a=1&b=2#x"}) {
    ExpectToken(SignOn(Url()));
    const http::Response page = SignOutByApp(bad);
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.fields.Count("location"), 0U);
    EXPECT_THAT(page.body, AllOf(Not(HasSubstr("Back to")), Not(HasSubstr("evil"))));
    EXPECT_THAT(page.body, HasSubstr("Signed out"));
  }
}

// Attack: an image on another page signs people out.
TEST_F(WsFedGatewayTest, ASignOutThatNoWindowAsksForEndsNothing) {
  ExpectToken(SignOn(Url()));
  http::Request image = browser_.NewRequest("GET", "/sso/wsfed?wa=wsignout1.0");
  image.fields.Set("sec-fetch-dest", "image");
  browser_.Send(gateway_, image);
  http::Request head = browser_.NewRequest("HEAD", "/sso/wsfed?wa=wsignoutcleanup1.0");
  browser_.Send(gateway_, head);
  EXPECT_TRUE(org_.ended.empty());
  ExpectToken(browser_.Follow(gateway_, browser_.Get(gateway_, Url())));
}

TEST_F(WsFedGatewayTest, ASignOutThatTheOrgDidNotHearSaysSo) {
  ExpectToken(SignOn(Url()));
  org_.unavailable = true;
  const http::Response page = SignOutByApp("");
  EXPECT_EQ(page.status, 503);
  EXPECT_THAT(page.body, HasSubstr("still signed in"));
  EXPECT_TRUE(browser_.cookies.contains(std::string(kSessionCookie)));
}

}  // namespace
}  // namespace devicetrust::gateway
