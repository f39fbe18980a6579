#include "simulator/gateway/account/account.h"

#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class AccountTest : public GatewayTest {
 protected:
  AccountTest() {
    org::v1::DashboardApp& mail = *gateway_.account.dashboard.add_apps();
    mail.set_app_id("mail");
    mail.set_label("Mail & <more>");
    mail.set_logo_sha256(std::string(32, 'L'));
    org::v1::UserSession& here = *gateway_.account.sessions.add_sessions();
    here.set_id("h-1");
    here.set_asks(true);
    org::v1::UserSession& other = *gateway_.account.sessions.add_sessions();
    other.set_id("h-2");
    other.set_browser("Chrome");
    other.set_system("<Windows>");
    other.mutable_client()->set_address("203.0.113.5");
    other.add_zones("office");
    other.mutable_used_at()->set_seconds(UnixSeconds(kStart));
    other.set_device_id("device-1");
  }

  void SignIn() {
    const http::Response form = browser_.Follow(gateway_, browser_.Get(gateway_, "/"));
    browser_.SignIn(gateway_, form);
  }
  http::Response Get(const std::string& url) { return browser_.Get(gateway_, url); }
  http::Response Post(const std::string& url, const std::string& body, bool cross_site = false) {
    return browser_.Post(gateway_, url, body, cross_site);
  }
};

TEST_F(AccountTest, TheFrontDoorShowsTheAppsOfWhoIsSignedIn) {
  EXPECT_EQ(Location(Get("/")).substr(0, 8), "/signin?");
  SignIn();
  const http::Response page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body,
              AllOf(HasSubstr("Mail &amp; &lt;more&gt;"), HasSubstr("href=\"/open/mail\""),
                    HasSubstr("ada@corp.test"), Not(HasSubstr("Locked"))));
  EXPECT_THAT(std::string(page.fields.Find("content-security-policy").value_or("")),
              AllOf(HasSubstr("default-src 'none'"), HasSubstr("trusted-types 'none'"),
                    Not(HasSubstr("unsafe"))));
  EXPECT_EQ(gateway_.account.last_session.user_id(), "u-ada@corp.test");
  // By name, without a script too.
  EXPECT_THAT(Get("/?q=mAIl").body, HasSubstr("href=\"/open/mail\""));
  EXPECT_THAT(Get("/?q=%3Cb%3E").body,
              AllOf(Not(HasSubstr("href=\"/open/mail\"")), HasSubstr("value=\"&lt;b&gt;\"")));
}

TEST_F(AccountTest, ALockSaysWhyAndWhatToDo) {
  SignIn();
  gateway_.account.dashboard.mutable_apps(0)->set_locked(true);
  EXPECT_THAT(Get("/").body, AllOf(HasSubstr("Locked"), HasSubstr("Why is an app locked?"),
                                   HasSubstr("contact your administrator")));
  gateway_.account.dashboard.set_learn_more_url("https://help.example/trust?a=1&b=2");
  EXPECT_THAT(Get("/").body, HasSubstr("https://help.example/trust?a=1&amp;b=2"));
}

TEST_F(AccountTest, ThePageFollowsWhenALockComesOrGoes) {
  SignIn();
  const std::string version = Between(Get("/").body, "data-version=\"", "\"");
  EXPECT_THAT(Get("/dashboard/version").body, HasSubstr("\"" + version + "\""));
  gateway_.account.dashboard.mutable_apps(0)->set_locked(true);
  EXPECT_THAT(Get("/dashboard/version").body, Not(HasSubstr("\"" + version + "\"")));
  gateway_.account.refusal = FakeAccount::Refusal(reason::v1::REASON_SESSION_ENDED);
  EXPECT_EQ(Get("/dashboard/version").status, 401);
}

TEST_F(AccountTest, AnAppIsOpenedWhereItsSignOnBegins) {
  SignIn();
  EXPECT_EQ(Location(Get("/open/mail")), "/app/mail/sso/saml");
  EXPECT_THAT(gateway_.account.opened, ElementsAre("mail"));
  EXPECT_EQ(Get("/open/nothing").status, 404);
  // What could not be noted opens all the same.
  gateway_.account.refusal = absl::UnavailableError("down");
  EXPECT_EQ(Location(Get("/open/mail")), "/app/mail/sso/saml");
}

TEST_F(AccountTest, LogosAreAskedForOnceAndKept) {
  EXPECT_EQ(Get("/logo/" + std::string(64, '4') + ".png").status, 401);
  SignIn();
  std::string name;
  for (int i = 0; i < 32; ++i) name += "4c";
  for (int i = 0; i < 3; ++i) {
    const http::Response logo = Get("/logo/" + name + ".png");
    EXPECT_EQ(logo.body, "png bytes");
    EXPECT_EQ(logo.fields.Find("content-type"), "image/png");
  }
  EXPECT_EQ(gateway_.account.logos_asked, 1);
  for (const char* bad : {"/logo/", "/logo/4c.png", "/logo/../x.png"}) {
    EXPECT_EQ(Get(bad).status, 404) << bad;
  }
}

TEST_F(AccountTest, SessionsAreShownAndEnded) {
  SignIn();
  const http::Response page = Get("/sessions");
  EXPECT_THAT(page.body,
              AllOf(HasSubstr("This session"), HasSubstr("Chrome"), HasSubstr("&lt;Windows&gt;"),
                    HasSubstr("office"), HasSubstr("datetime=\"2026-01-01T00:00:00Z\"")));
  EXPECT_EQ(Location(Post("/sessions", "id=h-2")), "/sessions");
  EXPECT_THAT(gateway_.account.ended, ElementsAre("h-2"));
  EXPECT_EQ(Post("/sessions", "all=1", /*cross_site=*/true).status, 303);  // No cookie comes along.
  http::Request forged = browser_.NewRequest("POST", "/sessions");
  forged.fields.Set("content-type", "application/x-www-form-urlencoded");
  forged.fields.Set("origin", "https://evil.example");
  forged.body = "all=1";
  EXPECT_EQ(browser_.Send(gateway_, forged).status, 400);
  EXPECT_EQ(gateway_.account.ended.size(), 1U);
  EXPECT_THAT(Post("/sessions", "all=1").body, HasSubstr("Signed out"));
  EXPECT_FALSE(browser_.cookies.contains(std::string(kSessionCookie)));
}

TEST_F(AccountTest, ASessionThatTheOrgEndedSignsInAgain) {
  SignIn();
  gateway_.account.refusal = FakeAccount::Refusal(reason::v1::REASON_SESSION_EXPIRED);
  for (const char* url : {"/", "/sessions", "/second-factor"}) {
    const http::Response form = browser_.Follow(gateway_, Get(url));
    EXPECT_THAT(form.body, HasSubstr("type=\"password\"")) << url;
  }
  const http::Response form = browser_.Follow(gateway_, Get("/"));
  gateway_.account.refusal = absl::OkStatus();
  EXPECT_EQ(Location(browser_.SignIn(gateway_, form)), "/");
  EXPECT_EQ(Get("/").status, 200);
}

TEST_F(AccountTest, AFactorIsSetUpByAPictureAndItsFirstCode) {
  SignIn();
  EXPECT_THAT(Get("/second-factor").body, HasSubstr("Your administrator sets it up"));
  gateway_.account.dashboard.set_may_enroll_factor(true);
  EXPECT_THAT(Get("/second-factor").body, HasSubstr("action=\"/second-factor/begin\""));
  const http::Response picture = Post("/second-factor/begin", "");
  EXPECT_THAT(picture.body, AllOf(HasSubstr("<svg"), HasSubstr("GEZD GNBV GY3T QOJQ"),
                                  HasSubstr("name=\"enrollment\" value=\"enrollment-1\"")));
  const std::string uri = "otpauth://totp/Acme:ada%40corp.test?secret=GEZDGNBVGY3TQOJQ";
  const auto confirm = [&](const std::string& code) {
    return Post(
        "/second-factor/confirm",
        http::EncodeParameters({{"enrollment", "enrollment-1"}, {"uri", uri}, {"code", code}}));
  };
  EXPECT_EQ(confirm("1").status, 422);
  const http::Response wrong = confirm("654321");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_THAT(wrong.body, AllOf(HasSubstr("role=\"alert\""), HasSubstr("<svg")));
  const http::Response done = confirm("123 456");
  EXPECT_THAT(done.body, AllOf(HasSubstr("aaaa-bbbb-cccc-dddd"), HasSubstr("shown this once")));
  // The session has shown it: it need not be shown again to be changed.
  gateway_.account.dashboard.set_has_factor(true);
  EXPECT_THAT(Get("/second-factor").body, HasSubstr("Set up another authenticator app"));
  // Nothing but an enrollment's address is drawn.
  EXPECT_THAT(Post("/second-factor/confirm",
                   http::EncodeParameters(
                       {{"enrollment", "e"}, {"uri", "javascript:alert(1)"}, {"code", "1"}}))
                  .body,
              Not(HasSubstr("javascript")));
}

TEST_F(AccountTest, AFactorIsReplacedOnlyByWhoHasShownIt) {
  SignIn();
  gateway_.account.dashboard.set_has_factor(true);
  gateway_.account.begin_refusal =
      FakeAccount::Refusal(reason::v1::REASON_FACTOR_NEEDED, absl::StatusCode::kFailedPrecondition);
  for (const char* url : {"/second-factor/begin", "/second-factor/codes"}) {
    EXPECT_THAT(Post(url, "").body,
                AllOf(HasSubstr("first show that it is"), Not(HasSubstr("<svg"))))
        << url;
  }
  EXPECT_EQ(Post("/second-factor/show", "code=654321").status, 422);
  EXPECT_EQ(Location(Post("/second-factor/show", "code=123456")), "/second-factor");
  gateway_.account.begin_refusal = absl::OkStatus();
  EXPECT_THAT(Post("/second-factor/codes", "").body, HasSubstr("eeee-ffff-0000-1111"));
  EXPECT_EQ(gateway_.account.last_session.has_factor_at(), false);
  Get("/");
  EXPECT_EQ(gateway_.account.last_session.has_factor_at(), true);
}

// A refusal for want of a factor leads to one, and back into the app.
TEST_F(AccountTest, TheFactorThatAnAppAsksForIsSetUpOnTheWay) {
  org_.ask_factor = true;
  org_.no_authenticator = true;
  org_.may_enroll = true;
  const http::Response form = browser_.Follow(gateway_, Get(SsoUrl()));
  const http::Response refusal = browser_.Follow(gateway_, browser_.SignIn(gateway_, form));
  EXPECT_EQ(refusal.status, 403);
  const std::string way = Between(refusal.body, "href=\"/second-factor?", "\"");
  ASSERT_FALSE(way.empty()) << refusal.body;
  gateway_.account.dashboard.set_may_enroll_factor(true);
  const http::Response offer = Get("/second-factor?" + way);
  const std::string next = Between(offer.body, "name=\"next\" value=\"", "\"");
  EXPECT_THAT(next, HasSubstr("/continue?t="));
  std::string plain = next;
  for (std::size_t at; (at = plain.find("&amp;")) != std::string::npos;) plain.erase(at + 1, 4);
  const http::Response done =
      Post("/second-factor/confirm",
           http::EncodeParameters({{"enrollment", "enrollment-1"},
                                   {"uri", "otpauth://totp/Acme:ada?secret=GEZDGNBVGY3TQOJQ"},
                                   {"next", plain},
                                   {"code", "123456"}}));
  EXPECT_THAT(done.body, HasSubstr("href=\"" + next + "\""));
  org_.no_authenticator = false;
  const http::Response app = browser_.Follow(gateway_, Get(plain));
  EXPECT_THAT(app.body, HasSubstr("name=\"SAMLResponse\""));
}

TEST_F(AccountTest, NextLeadsNowhereElse) {
  SignIn();
  gateway_.account.dashboard.set_may_enroll_factor(true);
  for (const char* next : {"https://evil.example/", "//evil.example", "/continue", "javascript:x",
                           "/continue?t=a\"onload", "/signout"}) {
    EXPECT_THAT(Get("/second-factor?next=" + http::PercentEncode(next)).body,
                Not(HasSubstr("name=\"next\"")))
        << next;
  }
}

TEST_F(AccountTest, AFormIsNoAddressToRead) {
  SignIn();
  for (const char* url : {"/", "/open/mail", "/dashboard/version"}) {
    EXPECT_EQ(Post(url, "").status, 405) << url;
  }
  EXPECT_TRUE(gateway_.account.opened.empty());
}

}  // namespace
}  // namespace devicetrust::gateway
