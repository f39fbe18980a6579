// Signing in with a Kerberos ticket (SSO-13): who sees a form, and who is asked for what.
#include "libs/saml/xml.h"
#include "simulator/gateway/gateway_fixture.h"

namespace devicetrust::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// "ada": a ticket of hers; "stranger": of an account that the org does not know.
class ScriptedTickets final : public TicketCheck {
 public:
  absl::StatusOr<TicketHolder> Check(std::string_view token,
                                     const http::Connection& /*connection*/) const override {
    ++seen;
    if (token == "ada")
      return TicketHolder{"S-1-5-21-1-2-3-1104", "CORP.TEST", "CORP.TEST", "cmVwbHk="};
    if (token == "stranger")
      return TicketHolder{"S-1-5-21-7-7-7-1104", "EVIL.TEST", "EVIL.TEST", "cmVwbHk="};
    return absl::UnauthenticatedError("replayed");
  }
  mutable int seen = 0;
};

class GatewayTicketTest : public GatewayTest {
 protected:
  GatewayTicketTest() { tickets_.check = std::make_unique<ScriptedTickets>(); }

  // The sign-in page on the way to an app, and its address.
  http::Response Begin(const std::string& url = "/app/mail/sso/saml") {
    http::Response step = browser_.Get(ticketed_, url);
    signin_ = Location(step);
    return browser_.Follow(ticketed_, std::move(step));
  }
  http::Response Show(const std::string& ticket, const std::string& scheme = "Negotiate ") {
    http::Request request = browser_.NewRequest("GET", signin_);
    request.fields.Set("authorization", scheme + ticket);
    return browser_.Send(ticketed_, request);
  }
  static bool IsForm(const http::Response& page) {
    return page.body.find("name=\"password\"") != std::string::npos;
  }
  static std::string Asked(const http::Response& page) {
    return std::string(page.fields.Find("www-authenticate").value_or(""));
  }

  TicketSignIn tickets_;
  Gateway ticketed_{org_, clock_, random_, minutes{10}, &tickets_};
  std::string signin_;
};

TEST_F(GatewayTicketTest, WhoHasATicketSeesNoForm) {
  const http::Response asked = Begin();
  EXPECT_EQ(asked.status, 401);
  EXPECT_EQ(Asked(asked), "Negotiate");
  EXPECT_TRUE(IsForm(asked));  // What a browser without a ticket shows.
  const http::Response step = Show("ada");
  EXPECT_EQ(step.status, 303);
  EXPECT_EQ(Asked(step), "Negotiate cmVwbHk=");
  const std::string xml = ResponseXml(browser_.Follow(ticketed_, step));
  EXPECT_THAT(xml, HasSubstr(">ada@corp.test<"));
  EXPECT_THAT(xml, HasSubstr("ac:classes:Kerberos<"));
  // And is a session as any other, also at a gateway that takes no tickets.
  const http::Response next =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml"));
  EXPECT_NE(ResponseXml(next), "");
}

TEST_F(GatewayTicketTest, ATicketThatIsNotGoodEndsAtTheFormWithoutASecondQuestion) {
  Begin();
  for (const char* ticket : {"replayed", "stranger", ""}) {
    const http::Response page = Show(ticket);
    EXPECT_EQ(page.status, 200) << ticket;
    EXPECT_TRUE(IsForm(page)) << ticket;
    EXPECT_EQ(Asked(page), "") << ticket;
  }
  org_.unavailable = true;
  const http::Response page = Show("ada");
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(IsForm(page));
  EXPECT_EQ(Asked(page), "");
  EXPECT_FALSE(browser_.cookies.contains(std::string(kSessionCookie)));
  org_.unavailable = false;
  // The form works.
  EXPECT_NE(ResponseXml(browser_.Follow(ticketed_, browser_.SignIn(ticketed_, page))), "");
}

TEST_F(GatewayTicketTest, OneFieldOfThatSchemeIsATicketAndNothingElse) {
  Begin();
  EXPECT_EQ(Show("ada", "Basic ").status, 401);
  EXPECT_EQ(Show("ada", "negotiate ").status, 303);
  browser_.cookies.erase(std::string(kSessionCookie));
  Begin();
  http::Request two = browser_.NewRequest("GET", signin_);
  two.fields.Add("authorization", "Negotiate ada");
  two.fields.Add("authorization", "Negotiate ada");
  EXPECT_EQ(browser_.Send(ticketed_, two).status, 401);
}

TEST_F(GatewayTicketTest, WhatWantsThePersonIsTyped) {
  const auto expect_typed = [&](const http::Response& page) {
    EXPECT_EQ(page.status, 200);
    EXPECT_TRUE(IsForm(page));
    EXPECT_EQ(Asked(page), "");
  };
  expect_typed(Begin(SsoUrl(" ForceAuthn=\"true\"")));
  expect_typed(Show("ada"));
  Begin();
  expect_typed(browser_.Get(ticketed_, signin_ + "&other=1"));
  // An app that names the ways that it takes: a ticket is none of them, and is not called one.
  Begin(SsoUrl("",
               "<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>"
               "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
               "</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>"));
  const http::Response page = browser_.Follow(ticketed_, Show("ada"));
  expect_typed(page);
  EXPECT_THAT(ResponseXml(browser_.Follow(ticketed_, browser_.SignIn(ticketed_, page))),
              HasSubstr("PasswordProtectedTransport<"));
}

TEST_F(GatewayTicketTest, NobodyIsAskedWhereTheOperatorDoesNotSay) {
  tickets_.networks = http::Networks::Parse({"10.0.0.0/8"}, "--ticket-from").value();
  const http::Response page = Begin();
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(Asked(page), "");
  EXPECT_EQ(Show("ada").status, 200);
  EXPECT_EQ(static_cast<const ScriptedTickets&>(*tickets_.check).seen, 0);
  tickets_.networks = http::Networks::Parse({"192.0.2.0/24"}, "--ticket-from").value();
  EXPECT_EQ(Begin().status, 401);
}

TEST_F(GatewayTicketTest, IsOffUntilTheOperatorTurnsItOn) {
  const http::Response page =
      browser_.Follow(gateway_, browser_.Get(gateway_, "/app/mail/sso/saml"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(Asked(page), "");
}

}  // namespace
}  // namespace devicetrust::gateway
