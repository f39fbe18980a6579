// Signing out of apps too: asked for by the person or by an app, by Redirect and POST.
#include "libs/saml/logout.h"
#include "libs/saml/message_writer.h"
#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kSlo = "https://org.localhost:8443/signout/saml";

class GatewaySignOutTest : public GatewayTest {
 protected:
  GatewaySignOutTest() {
    apps_ = NewApps();
    SetUpApp(*apps_.mutable_apps(0), "mail", org::v1::SAML_BINDING_REDIRECT);
    SetUpApp(*apps_.add_apps(), "wiki", org::v1::SAML_BINDING_POST);
    SetUpApp(*apps_.add_apps(), "old", org::v1::SAML_BINDING_UNSPECIFIED);
    org::v1::App& crm = *apps_.add_apps();
    crm.set_id("crm");
    crm.set_label("crm");
    crm.set_needs_device_challenge(true);
    crm.mutable_ws_fed()->set_realm("urn:crm");
    crm.mutable_ws_fed()->add_reply_urls("https://crm.example/wsfed");
    UseApps();
  }

  void SetUpApp(org::v1::App& app, const std::string& id, org::v1::SamlBinding binding) {
    app.set_id(id);
    app.set_label(id);
    app.set_needs_device_challenge(true);
    org::v1::SamlServiceProvider& saml = *app.mutable_saml();
    saml.set_entity_id("https://sp.example/" + id);
    if (saml.acs().empty()) saml.add_acs()->set_url("https://sp.example/acs/" + id);
    saml.add_signing_certificates_der(ToString(sp_.certificate.der()));
    if (binding == org::v1::SAML_BINDING_UNSPECIFIED) return;
    org::v1::SingleLogoutService& service = *saml.add_single_logout();
    service.set_binding(binding);
    service.set_url("https://sp.example/slo/" + id);
  }
  void UseApps() {
    for (Gateway* gateway : {&gateway_, &other_}) {
      gateway->snapshots.apps.Set(std::make_shared<const AppDirectory>(apps_));
    }
  }

  // Opens an app, with a password for the first. What the app is told.
  std::string Open(const std::string& id) {
    http::Response page =
        browser_.Follow(gateway_, browser_.Get(gateway_, "/app/" + id + "/sso/saml"));
    if (page.body.find("name=\"password\"") != std::string::npos) {
      page = browser_.Follow(gateway_, browser_.SignIn(gateway_, page));
    }
    return ResponseXml(page);
  }
  static std::string NameIdIn(const std::string& xml) {
    return Between(Between(xml, "<saml:NameID", "/saml:NameID>"), ">", "<");
  }
  static std::string SessionIndexIn(const std::string& xml) {
    return Between(xml, "SessionIndex=\"", "\"");
  }

  // A message of an app, in the query of the address that it is sent to.
  std::string ByRedirect(const std::string& app, std::string_view name, std::string_view field,
                         const std::string& content, const std::string& in_response_to = "",
                         const std::string& relay_state = "") {
    const std::string xml = Xml(app, name, content, in_response_to, nullptr);
    return saml::EncodeRedirect(kSlo, field, xml, relay_state, sp_).value();
  }
  std::string Xml(const std::string& app, std::string_view name, const std::string& content,
                  const std::string& in_response_to, const pki::Identity* signer) {
    const std::string issuer = "https://sp.example/" + app;
    return saml::ProtocolMessage({name, "_sp1", issuer, kSlo, in_response_to, clock_.Now()},
                                 content, signer)
        .value();
  }
  static std::string Asks(const std::string& name_id, const std::string& session_index) {
    return fmt::format(
        "<saml:NameID xmlns:saml=\"{}\">{}</saml:NameID><samlp:SessionIndex>{}"
        "</samlp:SessionIndex>",
        saml::kSamlNs, name_id, session_index);
  }
  std::string Answers(const std::string& app, const std::string& id, const char* status = "Success",
                      const char* inner = "") {
    return ByRedirect(app, "samlp:LogoutResponse", "SAMLResponse",
                      saml::StatusElement(status, inner), id);
  }

  // The XML that a response carries to an app, by either binding; its signature holds.
  static std::string Carried(const http::Response& response, std::string_view field) {
    const pki::Certificate org =
        pki::Certificate::FromPem(SharedKeys().saml_keys(0).certificate_pem()).value();
    if (response.status == 303) {
      const std::string url = Location(response);
      const auto query = http::ParseParameters(url.substr(url.find('?') + 1)).value();
      const auto message = saml::DecodeRedirect(query, field);
      if (!message.ok()) return "";
      DT_EXPECT_OK(saml::VerifyQuerySignature(*message, {org}));
      return message->xml;
    }
    const std::string encoded =
        Between(response.body, fmt::format("name=\"{}\" value=\"", field), "\"");
    std::string xml = ToString(Base64Decode(encoded).value());
    if (xml.empty()) return "";
    DT_EXPECT_OK(saml::VerifyRootSignature(saml::XmlDocument::Parse(xml).value(), {org}));
    return xml;
  }
  static std::string IdIn(const std::string& xml) { return Between(xml, " ID=\"", "\""); }

  pki::Identity sp_ = throwaway::NewCa("sp", kStart);
  org::v1::ListAppsResponse apps_;
};

// By the person: the org's session first, then each app, and only those that were opened.
TEST_F(GatewaySignOutTest, AsksEveryAppThatWasOpened) {
  const std::string mail = Open("mail");
  const std::string wiki = Open("wiki");
  http::Response step = browser_.Post(gateway_, "/signout", "");
  EXPECT_TRUE(org_.ended.contains("session-1"));
  EXPECT_FALSE(browser_.cookies.contains(std::string(kSessionCookie)));
  std::set<std::string> asked;
  for (int app = 0; app < 2; ++app) {
    const bool redirect = step.status == 303;
    const std::string name = redirect ? "mail" : "wiki";
    const std::string xml = Carried(step, "SAMLRequest");
    const std::string& told = redirect ? mail : wiki;
    EXPECT_EQ(NameIdIn(xml), NameIdIn(told));
    EXPECT_THAT(xml, HasSubstr("<samlp:SessionIndex>" + SessionIndexIn(told) + "<"));
    asked.insert(name);
    // Another gateway goes on.
    step = browser_.Get(other_, Answers(name, IdIn(xml)));
  }
  EXPECT_EQ(asked, (std::set<std::string>{"mail", "wiki"}));
  EXPECT_EQ(step.status, 200);
  EXPECT_THAT(step.body, HasSubstr("That goes for the apps that you opened, too."));
  EXPECT_TRUE(browser_.sign_out_cookies.empty());
}

// By an app of WS-Federation: at its address browsers do not send what tells which apps to ask.
TEST_F(GatewaySignOutTest, AnAppOfWsFederationSignsOutOfAll) {
  Open("mail");
  browser_.Follow(gateway_, browser_.Get(gateway_, "/app/crm/sso/wsfed"));
  http::Response step = browser_.Get(gateway_, "/sso/wsfed?wa=wsignout1.0");
  EXPECT_EQ(Location(step), "/signout/continue");
  step = browser_.Get(gateway_, Location(step));
  EXPECT_TRUE(org_.ended.contains("session-1"));
  EXPECT_THAT(Location(step), StartsWith("https://sp.example/slo/mail?SAMLRequest="));
  step = browser_.Get(gateway_, Answers("mail", IdIn(Carried(step, "SAMLRequest"))));
  EXPECT_THAT(step.body, HasSubstr("src=\"https://crm.example/wsfed?wa=wsignoutcleanup1.0\""));
  EXPECT_TRUE(browser_.sign_out_cookies.empty());
}

TEST_F(GatewaySignOutTest, SaysWhenAnAppIsNotKnownToHaveEnded) {
  const auto end = [&](const std::function<http::Response(http::Response)>& answer) {
    browser_.cookies.clear();
    Open("mail");
    return answer(browser_.Post(gateway_, "/signout", "")).body;
  };
  const auto answered = [&](const char* status, const char* inner) {
    return end([&](const http::Response& step) {
      return browser_.Get(gateway_,
                          Answers("mail", IdIn(Carried(step, "SAMLRequest")), status, inner));
    });
  };
  const auto partial = HasSubstr("Apps that you opened may keep sessions of their own");
  EXPECT_THAT(answered("Success", ""), Not(partial));
  EXPECT_THAT(answered("Success", "PartialLogout"), partial);
  EXPECT_THAT(answered("Responder", ""), partial);
  // Without its answer, by going on.
  EXPECT_THAT(
      end([&](const http::Response&) { return browser_.Get(gateway_, "/signout/continue"); }),
      partial);
  // One that can't be asked, and one of which the browser has forgotten how.
  browser_.cookies.clear();
  Open("mail");
  browser_.sign_out_cookies.clear();
  EXPECT_THAT(browser_.Post(gateway_, "/signout", "").body, partial);
  browser_.cookies.clear();
  Open("old");
  EXPECT_THAT(browser_.Post(gateway_, "/signout", "").body, partial);
}

// A fresh sign-in begins another session, and the app goes on with what it was told.
TEST_F(GatewaySignOutTest, AnAppOpenedBeforeAFreshSignInIsAskedTooAndMayAsk) {
  const auto open_both = [&](std::string& wiki) {
    browser_ = Browser();
    browser_.certificate = device_.certificate;
    browser_.verdict = pki::CertificateVerdict::kValid;
    wiki = Open("wiki");
    browser_.cookies.clear();
    Open("mail");
  };
  std::string wiki;
  open_both(wiki);
  http::Response step = browser_.Post(gateway_, "/signout", "");
  EXPECT_EQ(org_.ended, (std::set<std::string>{"session-1", "session-2"}));
  std::string wiki_was_asked;
  for (int app = 0; app < 2; ++app) {
    const std::string xml = Carried(step, "SAMLRequest");
    const bool redirect = step.status == 303;
    if (!redirect) wiki_was_asked = xml;
    step = browser_.Get(gateway_, Answers(redirect ? "mail" : "wiki", IdIn(xml)));
  }
  EXPECT_THAT(wiki_was_asked, HasSubstr("<samlp:SessionIndex>" + SessionIndexIn(wiki) + "<"));
  EXPECT_THAT(step.body, HasSubstr("That goes for the apps that you opened, too."));
  EXPECT_TRUE(browser_.sign_out_cookies.empty());
  // It asks, by the session that it knows.
  open_both(wiki);
  step = browser_.Get(gateway_, ByRedirect("wiki", "samlp:LogoutRequest", "SAMLRequest",
                                           Asks(NameIdIn(wiki), SessionIndexIn(wiki))));
  EXPECT_TRUE(org_.ended.contains("session-3") && org_.ended.contains("session-4"));
  step = browser_.Get(gateway_, Answers("mail", IdIn(Carried(step, "SAMLRequest"))));
  EXPECT_THAT(Carried(step, "SAMLResponse"), Not(HasSubstr("PartialLogout")));
}

TEST_F(GatewaySignOutTest, WhatSomebodyElseLeftInTheBrowserIsSaid) {
  Open("wiki");
  browser_.cookies.clear();
  const http::Response form =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml"));
  const std::string id = Between(form.body, "name=\"t\" value=\"", "\"");
  browser_.Follow(gateway_, browser_.Post(gateway_, "/signin",
                                          http::EncodeParameters({{"t", id},
                                                                  {"username", "bob@corp.test"},
                                                                  {"password", "right"}})));
  const http::Response step = browser_.Post(gateway_, "/signout", "");
  EXPECT_EQ(org_.ended, (std::set<std::string>{"session-2"}));
  const http::Response done =
      browser_.Get(gateway_, Answers("mail", IdIn(Carried(step, "SAMLRequest"))));
  EXPECT_THAT(done.body, HasSubstr("Apps that you opened may keep sessions of their own"));
}

TEST_F(GatewaySignOutTest, AnAppCountsOnceHoweverOftenItIsOpened) {
  Session session;
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(NoteAppTold(session, "mail"));
  for (std::size_t i = 1; i < kToldAppsMax; ++i) {
    EXPECT_TRUE(NoteAppTold(session, fmt::format("app{}", i)));
  }
  EXPECT_FALSE(TooManyWereTold(session));
  EXPECT_TRUE(NoteAppTold(session, "mail"));
  EXPECT_FALSE(NoteAppTold(session, "one more"));
  EXPECT_FALSE(NoteAppTold(session, "and another"));
  EXPECT_TRUE(TooManyWereTold(session));
}

TEST_F(GatewaySignOutTest, AnAppThatGotNoAnswerIsNotAsked) {
  Open("old");
  browser_.sign_out_cookies.clear();
  const http::Response refused = browser_.Follow(
      gateway_, browser_.Get(gateway_,
                             "/app/crm/sso/wsfed?wa=wsignin1.0&wtrealm=urn%3Acrm&wauth="
                             "http%3A%2F%2Fschemas.microsoft.com%2Fclaims%2F"
                             "multipleauthn"));
  EXPECT_THAT(refused.body, HasSubstr("WSFED_AUTHENTICATION_NOT_POSSIBLE"));
  EXPECT_TRUE(browser_.sign_out_cookies.empty());
}

TEST_F(GatewaySignOutTest, AnAppSignsOutOfAllAndHearsOfIt) {
  const std::string mail = Open("mail");
  Open("wiki");
  const http::Response asks_wiki = browser_.Get(
      gateway_, ByRedirect("mail", "samlp:LogoutRequest", "SAMLRequest",
                           Asks(NameIdIn(mail), SessionIndexIn(mail)), "", "back & forth"));
  EXPECT_TRUE(org_.ended.contains("session-1"));
  const std::string wiki = Carried(asks_wiki, "SAMLRequest");
  EXPECT_THAT(asks_wiki.body, HasSubstr("https://sp.example/slo/wiki"));
  // Its answer comes by POST from another site, without the cookies.
  const std::string answer =
      Xml("wiki", "samlp:LogoutResponse", saml::StatusElement("Success", ""), IdIn(wiki), &sp_);
  const http::Response posted = browser_.Post(
      gateway_, std::string(kSlo),
      http::EncodeParameters({{"SAMLResponse", Base64Encode(AsBytes(answer))}}), true);
  EXPECT_THAT(Location(posted), StartsWith("/signout/continue?a="));
  const http::Response done = browser_.Get(gateway_, Location(posted));
  EXPECT_THAT(Location(done), StartsWith("https://sp.example/slo/mail?SAMLResponse="));
  EXPECT_THAT(Location(done), HasSubstr("&RelayState=back%20%26%20forth&"));
  const std::string xml = Carried(done, "SAMLResponse");
  EXPECT_THAT(xml, HasSubstr("InResponseTo=\"_sp1\""));
  EXPECT_THAT(xml, HasSubstr("status:Success"));
  EXPECT_THAT(xml, Not(HasSubstr("PartialLogout")));
}

TEST_F(GatewaySignOutTest, AnAppMayAskByPostAndHearsWhatCouldNotBeEnded) {
  const std::string wiki = Open("wiki");
  Open("old");
  const std::string request =
      Xml("wiki", "samlp:LogoutRequest", Asks(NameIdIn(wiki), SessionIndexIn(wiki)), "", &sp_);
  const http::Response posted =
      browser_.Post(gateway_, std::string(kSlo),
                    http::EncodeParameters(
                        {{"SAMLRequest", Base64Encode(AsBytes(request))}, {"RelayState", "r"}}),
                    true);
  EXPECT_EQ(Location(posted), "/signout/continue");
  EXPECT_FALSE(org_.ended.contains("session-1"));
  const http::Response done = browser_.Get(gateway_, Location(posted));
  EXPECT_TRUE(org_.ended.contains("session-1"));
  EXPECT_THAT(Carried(done, "SAMLResponse"), HasSubstr("status:PartialLogout"));
  EXPECT_THAT(done.body, HasSubstr("name=\"RelayState\" value=\"r\""));
}

// Images tell apps of WS-Federation, on a page before the answer.
TEST_F(GatewaySignOutTest, AnAppHearsOfItAfterThoseThatImagesTell) {
  const std::string mail = Open("mail");
  browser_.Follow(gateway_, browser_.Get(gateway_, "/app/crm/sso/wsfed"));
  const http::Response page =
      browser_.Get(gateway_, ByRedirect("mail", "samlp:LogoutRequest", "SAMLRequest",
                                        Asks(NameIdIn(mail), SessionIndexIn(mail)), "", "r"));
  EXPECT_TRUE(org_.ended.contains("session-1"));
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("src=\"https://crm.example/wsfed?wa=wsignoutcleanup1.0\""));
  EXPECT_THAT(std::string(page.fields.Find("content-security-policy").value_or("")),
              HasSubstr("img-src https://crm.example"));
  EXPECT_EQ(page.fields.Find("refresh").value_or(""), "0; url=/signout/continue");
  const http::Response done = browser_.Get(other_, "/signout/continue");
  EXPECT_THAT(Location(done), HasSubstr("&RelayState=r&"));
  // Whether they did, nobody knows.
  EXPECT_THAT(Carried(done, "SAMLResponse"), HasSubstr("status:PartialLogout"));
  EXPECT_TRUE(browser_.sign_out_cookies.empty());
}

// Whoever asks for somebody else's session, or for one that is over, ends nobody's.
TEST_F(GatewaySignOutTest, EndsOnlyTheSessionThatWasNamed) {
  const std::string mail = Open("mail");
  const auto ask = [&](const std::string& name_id, const std::string& index) {
    return Carried(browser_.Get(gateway_, ByRedirect("mail", "samlp:LogoutRequest", "SAMLRequest",
                                                     Asks(name_id, index))),
                   "SAMLResponse");
  };
  EXPECT_THAT(ask("eve@corp.test", SessionIndexIn(mail)), HasSubstr("status:UnknownPrincipal"));
  EXPECT_THAT(ask(NameIdIn(mail), "another"), HasSubstr("status:UnknownPrincipal"));
  EXPECT_TRUE(org_.ended.empty());
  EXPECT_THAT(ask(NameIdIn(mail), SessionIndexIn(mail)), HasSubstr("status:Success"));
  EXPECT_EQ(org_.ended.size(), 1U);
  // A second click.
  EXPECT_THAT(ask(NameIdIn(mail), SessionIndexIn(mail)), HasSubstr("status:Success"));
  // An app that was never opened in this session.
  browser_.cookies.clear();
  Open("mail");
  const http::Response foreign =
      browser_.Get(gateway_, ByRedirect("wiki", "samlp:LogoutRequest", "SAMLRequest",
                                        Asks(NameIdIn(mail), SessionIndexIn(mail))));
  EXPECT_THAT(Carried(foreign, "SAMLResponse"), HasSubstr("status:UnknownPrincipal"));
  EXPECT_EQ(org_.ended.size(), 1U);
}

TEST_F(GatewaySignOutTest, NothingUnsignedOrMadeUpSignsAnybodyOut) {
  const std::string mail = Open("mail");
  const std::string content = Asks(NameIdIn(mail), SessionIndexIn(mail));
  const std::string bare = Xml("mail", "samlp:LogoutRequest", content, "", nullptr);
  const std::string query = fmt::format(
      "{}?SAMLRequest={}", kSlo, http::PercentEncode(Base64Encode(AsBytes(saml::Deflate(bare)))));
  const http::Response refused = browser_.Get(gateway_, query);
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr("SAML_SIGNATURE_INVALID"));
  EXPECT_THAT(refused.body, HasSubstr("href=\"/signout\""));
  const std::string unknown = ByRedirect("nobody", "samlp:LogoutRequest", "SAMLRequest", content);
  EXPECT_THAT(browser_.Get(gateway_, unknown).body, HasSubstr("SAML_UNKNOWN_SERVICE_PROVIDER"));
  EXPECT_EQ(browser_.Get(gateway_, std::string(kSlo)).status, 400);
  // Answers to no question, and addresses without the cookie.
  EXPECT_EQ(Location(browser_.Get(gateway_, Answers("mail", "_made_up"))), "/signout");
  EXPECT_EQ(Location(browser_.Get(gateway_, "/signout/continue?a=AAAA")), "/signout");
  EXPECT_EQ(Location(browser_.Get(gateway_, "/signout/continue")), "/signout");
  EXPECT_EQ(browser_.Get(gateway_, "/signout/else").status, 404);
  EXPECT_TRUE(org_.ended.empty());
}

TEST_F(GatewaySignOutTest, AnswersOfOtherAppsOrToOldQuestionsChangeNothing) {
  Open("mail");
  Open("wiki");
  http::Response step = browser_.Post(gateway_, "/signout", "");
  const bool mail_first = step.status == 303;
  const std::string id = IdIn(Carried(step, "SAMLRequest"));
  EXPECT_EQ(Location(browser_.Get(gateway_, Answers(mail_first ? "wiki" : "mail", id))),
            "/signout");
  EXPECT_EQ(Location(browser_.Get(gateway_, Answers(mail_first ? "mail" : "wiki", "_old"))),
            "/signout");
  step = browser_.Get(gateway_, Answers(mail_first ? "mail" : "wiki", id));
  EXPECT_NE(Carried(step, "SAMLRequest"), "");
}

TEST_F(GatewaySignOutTest, ASignOutThatTheOrgDoesNotTakeChangesNothing) {
  const std::string mail = Open("mail");
  org_.unavailable = true;
  const std::string url = ByRedirect("mail", "samlp:LogoutRequest", "SAMLRequest",
                                     Asks(NameIdIn(mail), SessionIndexIn(mail)));
  const http::Response failed = browser_.Get(gateway_, url);
  EXPECT_EQ(failed.status, 503);
  EXPECT_THAT(failed.body, HasSubstr("You are still signed in."));
  EXPECT_TRUE(browser_.cookies.contains(std::string(kSessionCookie)));
  org_.unavailable = false;
  EXPECT_THAT(Carried(browser_.Get(gateway_, url), "SAMLResponse"), HasSubstr("status:Success"));
}

TEST_F(GatewaySignOutTest, ATransientNameIsTheSameAtTheEnd) {
  apps_.mutable_apps(0)->mutable_saml()->mutable_settings()->set_name_id_format(
      std::string(saml::kNameIdTransient));
  UseApps();
  const std::string mail = Open("mail");
  EXPECT_EQ(NameIdIn(Carried(browser_.Post(gateway_, "/signout", ""), "SAMLRequest")),
            NameIdIn(mail));
}

// Browsers follow about twenty redirects in a row.
TEST_F(GatewaySignOutTest, APageComesBetweenManyRedirects) {
  for (int i = 0; i < 12; ++i) {
    const std::string id = fmt::format("app{}", i);
    SetUpApp(*apps_.add_apps(), id, org::v1::SAML_BINDING_REDIRECT);
    UseApps();
    Open(id);
  }
  http::Response step = browser_.Post(gateway_, "/signout", "");
  int redirects = 0;
  int most = 0;
  int asked = 0;
  while (step.body.find("Signed out") == std::string::npos && asked < 20) {
    std::string url = Location(step);
    redirects = step.status == 303 ? redirects + 2 : 1;
    if (step.status == 200) url = std::string(step.fields.Find("refresh").value_or("")).substr(7);
    most = std::max(most, redirects);
    const auto query = http::ParseParameters(url.substr(url.find('?') + 1)).value();
    const std::string xml = saml::DecodeRedirect(query, "SAMLRequest").value().xml;
    const std::string app = Between(xml, "https://sp.example/slo/", "\"");
    ++asked;
    step = browser_.Get(gateway_, Answers(app, IdIn(xml)));
  }
  EXPECT_EQ(asked, 12);
  EXPECT_LT(most, 15);
  EXPECT_THAT(step.body, Not(HasSubstr("may keep sessions")));
}

TEST_F(GatewaySignOutTest, TheMetadataNamesTheAddress) {
  const std::string metadata = browser_.Get(gateway_, "/saml/metadata").body;
  EXPECT_THAT(metadata, HasSubstr(fmt::format("Location=\"{}\"", kSlo)));
  EXPECT_THAT(metadata, HasSubstr("validUntil=\"2027-01-01T00:00:00Z\""));
}

}  // namespace
}  // namespace devicetrust::gateway
