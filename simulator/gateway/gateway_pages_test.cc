// What people see on the way, and that every page has a way on.
#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// As a browser reads an address in an attribute.
std::string Href(std::string_view page, std::string_view text) {
  const std::size_t end = page.find(fmt::format("\">{}</a>", text));
  if (end == std::string_view::npos) return "";
  const std::size_t begin = page.rfind("href=\"", end) + 6;
  std::string url(page.substr(begin, end - begin));
  for (std::size_t at = 0; (at = url.find("&amp;", at)) != std::string::npos;) url.erase(at + 1, 4);
  return url;
}

class GatewayPagesTest : public GatewayTest {
 protected:
  // The sign-in form of a new tab, as its address.
  std::string OpenTab() { return Location(browser_.Get(gateway_, SsoUrl())); }
  http::Response Follow(const std::string& url) {
    return browser_.Follow(gateway_, browser_.Get(gateway_, url));
  }
  // Through the password, in that tab.
  http::Response SignInAt(const std::string& url) {
    return browser_.Follow(gateway_, browser_.SignIn(gateway_, browser_.Get(gateway_, url)));
  }
  void LoseCertificate() {
    browser_.certificate.reset();
    browser_.verdict = pki::CertificateVerdict::kNone;
  }
  // A refused sign-on, as the address of its page.
  std::string Refused() {
    LoseCertificate();
    http::Response step = browser_.SignIn(gateway_, browser_.Get(gateway_, OpenTab()));
    while (!Location(step).starts_with("/refused?r="))
      step = browser_.Get(gateway_, Location(step));
    return Location(step);
  }
  std::string IdOf(const http::Response& form) {
    return Between(form.body, "name=\"t\" value=\"", "\"");
  }
};

TEST_F(GatewayPagesTest, ARefusalHasAnAddressThatSurvives) {
  const std::string url = Refused();
  for (int load = 0; load < 2; ++load) {
    const http::Response page = browser_.Get(gateway_, url);
    EXPECT_EQ(page.status, 403);
    EXPECT_THAT(page.body, AllOf(HasSubstr("<code>CODE-1</code>"), HasSubstr("on this device"),
                                 HasSubstr("Signed in as <bdi>ada@corp.test</bdi>")));
  }
  // It is one page of one decision: at the other gateway too, and nobody can make up another.
  EXPECT_THAT(browser_.Get(other_, url).body, HasSubstr("CODE-1"));
  std::string doctored = url;
  doctored[doctored.size() / 2] = doctored[doctored.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(browser_.Get(gateway_, doctored).status, 400);
  EXPECT_EQ(browser_.Get(gateway_, "/refused").status, 400);
  browser_.cookies.clear();
  EXPECT_THAT(browser_.Get(gateway_, url).body, Not(HasSubstr("ada@corp.test")));
  clock_.Advance(kRefusalLifetime);
  EXPECT_EQ(browser_.Get(gateway_, url).status, 400);
}

TEST_F(GatewayPagesTest, ARefusedSignOnCanBeTriedAgain) {
  const http::Response page = browser_.Get(gateway_, Refused());
  const std::string retry = Href(page.body, "Try again");
  EXPECT_THAT(Follow(retry).body, HasSubstr("CODE-2"));
  browser_.certificate = device_.certificate;  // The computer enrolled meanwhile.
  browser_.verdict = pki::CertificateVerdict::kValid;
  ExpectSignedResponse(Follow(retry), "_r1");
}

TEST_F(GatewayPagesTest, SomebodyElseCanSignInFromARefusal) {
  const http::Response page = browser_.Get(gateway_, Refused());
  const http::Response form = browser_.Get(gateway_, Href(page.body, "Use another account"));
  EXPECT_THAT(form.body, HasSubstr("current-password"));
  const http::Response next = browser_.Follow(
      gateway_, browser_.Post(gateway_, "/signin",
                              http::EncodeParameters({{"t", IdOf(form)},
                                                      {"username", "bob@corp.test"},
                                                      {"password", "also right"}})));
  EXPECT_THAT(next.body, HasSubstr("Signed in as <bdi>bob@corp.test</bdi>"));
}

// After one tab has signed in, the others go on when they are loaded again.
TEST_F(GatewayPagesTest, OtherTabsNeedNoSecondPassword) {
  const std::string one = OpenTab();
  const std::string two = OpenTab();
  EXPECT_THAT(browser_.Get(gateway_, two).body, HasSubstr("current-password"));
  ExpectSignedResponse(SignInAt(one), "_r1");
  ExpectSignedResponse(Follow(two), "_r2");
}

TEST_F(GatewayPagesTest, OtherTabsNeedNoSecondCode) {
  org_.ask_factor = true;
  const http::Response cold[] = {Follow(SsoUrl()), Follow(SsoUrl())};
  const std::string later = OpenTab();
  const http::Response first = browser_.Follow(gateway_, browser_.SignIn(gateway_, cold[0]));
  const http::Response second = browser_.Follow(gateway_, browser_.SignIn(gateway_, cold[1]));
  const http::Response third = Follow(later);
  for (const http::Response* form : {&first, &second, &third}) {
    EXPECT_THAT(form->body, HasSubstr("one-time-code"));
  }
  ExpectSignedResponse(browser_.Post(gateway_, "/factor", "t=" + IdOf(first) + "&code=123456"),
                       "_r1");
  // One by loading it again, one by the code that was typed already.
  ExpectSignedResponse(Follow("/factor?t=" + IdOf(second)), "_r2");
  const http::Response step =
      browser_.Post(gateway_, "/factor", "t=" + IdOf(third) + "&code=123456");
  ExpectSignedResponse(browser_.Follow(gateway_, step), "_r3");
}

// A password that the app wants now is not one that another tab had.
TEST_F(GatewayPagesTest, AForcedSignInAsksInEachTab) {
  ExpectSignedResponse(SignInAt(OpenTab()), "_r1");
  const std::string forced = Location(browser_.Get(gateway_, SsoUrl(" ForceAuthn=\"true\"")));
  const http::Response form = browser_.Get(gateway_, forced);
  EXPECT_THAT(form.body,
              AllOf(HasSubstr("Give your password again"), HasSubstr("value=\"ada@corp.test\"")));
  ExpectSignedResponse(SignInAt(forced), "_r2");
}

// The gateway may hear of it later than the org.
TEST_F(GatewayPagesTest, ASessionThatTheOrgHasEndedLeadsToTheForm) {
  ExpectSignedResponse(SignInAt(OpenTab()), "_r1");
  org_.ended.insert("session-1");
  const http::Response form = Follow(SsoUrl());
  EXPECT_THAT(form.body, HasSubstr("current-password"));
  ExpectSignedResponse(browser_.Follow(gateway_, browser_.SignIn(gateway_, form)), "_r2");
}

TEST_F(GatewayPagesTest, ASecondClickGetsTheSameAnswer) {
  org_.ask_factor = true;
  const http::Response form = SignInAt(OpenTab());
  const std::map<std::string, std::string> before = browser_.cookies;
  const std::string body = "t=" + IdOf(form) + "&code=123456";
  ExpectSignedResponse(browser_.Post(gateway_, "/factor", body), "_r1");
  browser_.cookies = before;  // The first answer was given up before it came.
  ExpectSignedResponse(browser_.Post(gateway_, "/factor", body), "_r1");
  // Whoever sends it again later is told so, and where to go.
  const http::Response over = browser_.Post(gateway_, "/factor", body + "&app=mail");
  EXPECT_EQ(over.status, 400);
  EXPECT_EQ(Href(over.body, "Start again"), "/app/mail/sso/saml");
}

TEST_F(GatewayPagesTest, BookmarksBackAndResubmittedFormsHaveAWayOn) {
  for (const char* bookmark : {"/signin", "/factor"}) {
    EXPECT_EQ(Location(browser_.Get(gateway_, bookmark)), "/") << bookmark;
  }
  const std::string tab = OpenTab();
  const http::Response form = browser_.Get(gateway_, tab);
  http::Response step = browser_.SignIn(gateway_, form);
  step = browser_.Get(gateway_, Location(step));
  const std::string proof = Location(step);
  ExpectSignedResponse(browser_.Get(gateway_, proof), "_r1");
  const auto expect_over = [&](const http::Response& page) {
    EXPECT_EQ(page.status, 400);
    EXPECT_THAT(page.body, AllOf(HasSubstr("This sign-in is over"),
                                 HasSubstr("Signed in as <bdi>ada@corp.test</bdi>"),
                                 HasSubstr("on the way to <bdi>Mail &amp; &lt;more&gt;</bdi>")));
    EXPECT_EQ(Href(page.body, "Start again"), "/app/mail/sso/saml");
    EXPECT_EQ(Href(page.body, "Go to the sign-in page"), "/");
  };
  expect_over(browser_.Get(gateway_, proof));  // Back from the app.
  expect_over(browser_.Get(gateway_, tab));    // A bookmark of the form.
  expect_over(browser_.Post(gateway_, "/signin",
                            http::EncodeParameters({{"t", IdOf(form)},
                                                    {"app", "mail"},
                                                    {"username", "ada@corp.test"},
                                                    {"password", "right"}})));
  EXPECT_EQ(Href(browser_.Get(gateway_, "/continue?t=x&app=none").body, "Start again"), "");
}

TEST_F(GatewayPagesTest, EveryErrorPageHasAWayOn) {
  for (const std::string& url :
       {std::string("/nothing"), std::string("/app/none/sso/saml"), std::string("/signin?t=x"),
        std::string("/continue"), std::string("/proof"), std::string("/refused?r=x"),
        std::string("/sso/saml?SAMLRequest=x"), std::string("https://mtls.localhost/nothing"),
        std::string("https://mtls.localhost/challenge?c=x")}) {
    const http::Response page = browser_.Get(gateway_, url);
    EXPECT_GE(page.status, 400) << url;
    EXPECT_THAT(page.body, HasSubstr("<a href=\"")) << url;
    EXPECT_THAT(page.body, HasSubstr("<title>")) << url;
  }
  EXPECT_THAT(browser_.Post(gateway_, "/continue", "").body, HasSubstr("<a href=\""));
  EXPECT_EQ(browser_.Get(gateway_, "/app/%f0/sso/saml").status, 404);
}

// A RelayState of 4 KiB needs more than one cookie: browsers drop those of more than 4096 bytes.
TEST_F(GatewayPagesTest, ALongRelayStateSurvivesTheWholeWay) {
  org_.ask_factor = true;
  const std::string state(4000, 'x');
  std::string url = SsoUrl();
  url.replace(url.find("&RelayState="), std::string::npos, "&RelayState=" + state);
  http::Response page = browser_.Get(gateway_, url);
  EXPECT_EQ(browser_.cookies.size(), 2U);
  page = SignInAt(Location(page));
  for (const auto& [name, value] : browser_.cookies) {
    EXPECT_LE(name.size() + value.size(), 4096U) << name;
  }
  page = browser_.Post(gateway_, "/factor", "t=" + IdOf(page) + "&code=123456");
  EXPECT_THAT(page.body, HasSubstr("name=\"RelayState\" value=\"" + state + "\""));
  EXPECT_EQ(browser_.cookies.size(), 1U);  // The session's.
}

TEST_F(GatewayPagesTest, NamesTheOrganization) {
  gateway_.site.org_name = "Acme & Sons";
  const http::Response form = Follow(SsoUrl());
  EXPECT_THAT(form.body, AllOf(HasSubstr("<title>Sign in \xc2\xb7 Acme &amp; Sons</title>"),
                               HasSubstr(">A</span><span>Acme &amp; Sons</span></header>")));
  EXPECT_EQ(browser_.Get(gateway_, std::string(kMarkPath)).status, 404);
  gateway_.site.mark = {"image/png", "\x89PNG"};
  const http::Response marked = Follow(SsoUrl());
  EXPECT_THAT(marked.body,
              HasSubstr("<img class=\"mark\" src=\"https://org.localhost:8443/mark\""));
  EXPECT_THAT(std::string(marked.fields.Find("content-security-policy").value_or("")),
              HasSubstr("img-src https://org.localhost:8443"));
  const http::Response mark = browser_.Get(gateway_, std::string(kMarkPath));
  EXPECT_EQ(mark.fields.Find("content-type"), "image/png");
  EXPECT_EQ(mark.body, "\x89PNG");
}

TEST_F(GatewayPagesTest, TiesProblemsToTheirFields) {
  const http::Response form = Follow(SsoUrl());
  EXPECT_THAT(form.body, Not(HasSubstr("aria-invalid=")));
  const http::Response wrong = browser_.SignIn(gateway_, form, "wrong");
  EXPECT_THAT(wrong.body, AllOf(HasSubstr("<title>Error: Sign in"), HasSubstr("id=\"problem\""),
                                HasSubstr("aria-invalid=\"true\" aria-describedby=\"problem\"")));
}

TEST_F(GatewayPagesTest, SaysWhatIsTooLong) {
  const http::Response form = Follow(SsoUrl());
  EXPECT_THAT(form.body, Not(HasSubstr("maxlength")));
  const auto post = [&](const std::string& name, const std::string& password) {
    return browser_
        .Post(
            gateway_, "/signin",
            http::EncodeParameters({{"t", IdOf(form)}, {"username", name}, {"password", password}}))
        .body;
  };
  EXPECT_THAT(post("ada", std::string(260, 'x')),
              HasSubstr("That password is too long: 260 bytes, and 256 at most are taken."));
  EXPECT_THAT(post(std::string(257, 'x'), "right"), HasSubstr("That user name is too long"));
  EXPECT_THAT(post("", "right"), HasSubstr("Give a user name and a password."));
}

// A form that can't work is not shown.
TEST_F(GatewayPagesTest, APauseOfCodesIsTold) {
  org_.ask_factor = true;
  const http::Response form = SignInAt(OpenTab());
  org_.factor_refusal =
      rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_THROTTLED, "too many",
                     {}, {}, std::chrono::seconds{300});
  const http::Response page =
      browser_.Post(gateway_, "/factor", "t=" + IdOf(form) + "&code=123456");
  EXPECT_EQ(page.status, 429);
  EXPECT_EQ(page.fields.Find("retry-after"), "300");
  EXPECT_THAT(page.body, AllOf(HasSubstr("Wait 5 minutes"), Not(HasSubstr("one-time-code"))));
  org_.factor_refusal = absl::OkStatus();
  EXPECT_THAT(Follow(Href(page.body, "Try again")).body, HasSubstr("one-time-code"));
}

TEST_F(GatewayPagesTest, SetsForeignTextApart) {
  std::string xml = RequestXml();
  xml.replace(xml.find("https://sp.example/mail"), 23,
              "\xe2\x80\xae&lt;b&gt;" + std::string(300, 'x'));
  const std::string query =
      "SAMLRequest=" + http::PercentEncode(Base64Encode(AsBytes(saml::Deflate(xml))));
  const http::Response page = browser_.Get(gateway_, "/app/mail/sso/saml?" + query);
  EXPECT_EQ(page.status, 400);
  EXPECT_THAT(page.body,
              AllOf(HasSubstr("on the way to <bdi>Mail"), HasSubstr("For your administrator"),
                    HasSubstr("<samp><bdi>\\u202e&lt;b&gt;" + std::string(76, 'x') +
                              "\xe2\x80\xa6</bdi></samp>"),
                    HasSubstr("Reason: <code>SAML_UNKNOWN_SERVICE_PROVIDER</code>")));
}

// Thousands of cookies that look like ours cost no more than a few.
TEST_F(GatewayPagesTest, ForeignCookiesAreNotAnsweredOneByOne) {
  for (int i = 0; i < 1000; ++i) browser_.cookies[fmt::format("__Host-dt-t-{:022}", i)] = "x";
  const http::Response response = browser_.Get(gateway_, SsoUrl());
  EXPECT_EQ(response.status, 303);
  EXPECT_LE(response.fields.Count("set-cookie"), kTransactionsMax * kTransactionCookiesMax + 1);
}

}  // namespace
}  // namespace devicetrust::gateway
