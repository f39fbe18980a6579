#include "libs/wsfed/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/testing/mutation.h"
#include "libs/testing/status.h"

namespace devicetrust::wsfed {
namespace {

using Party = org::v1::WsFedRelyingParty;

Party NewParty() {
  Party party;
  party.set_realm("urn:example:mail");
  party.add_reply_urls("https://mail.example/wsfed");
  party.add_reply_urls("https://mail.example/other?a=1&b=2");
  return party;
}

http::Parameters Of(std::vector<std::pair<std::string_view, std::string_view>> pairs) {
  return http::ParseParameters(http::EncodeParameters(pairs)).value();
}

reason::v1::Reason RefusalOf(std::vector<std::pair<std::string_view, std::string_view>> pairs) {
  const auto request = CheckSignIn(Of(std::move(pairs)), NewParty());
  return request.ok() ? reason::v1::REASON_UNSPECIFIED : rpc::ReasonOf(request.status());
}

TEST(WsFedRequestTest, KnowsTheThreeActions) {
  EXPECT_EQ(ActionOf(Of({{"wa", "wsignin1.0"}})).value(), Action::kSignIn);
  EXPECT_EQ(ActionOf(Of({{"wa", "wsignout1.0"}})).value(), Action::kSignOut);
  EXPECT_EQ(ActionOf(Of({{"wa", "wsignoutcleanup1.0"}})).value(), Action::kSignOutCleanup);
  for (const char* other : {"", "WSIGNIN1.0", "wsignin1.0 ", "wattr1.0", "wpseudo1.0"}) {
    EXPECT_EQ(rpc::ReasonOf(ActionOf(Of({{"wa", other}})).status()),
              reason::v1::REASON_WSFED_REQUEST_MALFORMED)
        << other;
  }
  EXPECT_FALSE(ActionOf(Of({})).ok());
  EXPECT_FALSE(ActionOf(Of({{"wa", "wsignin1.0"}, {"wa", "wsignin1.0"}})).ok());
}

TEST(WsFedRequestTest, TakesTheDefaultsOfTheRegistration) {
  const auto request = CheckSignIn(Of({{"wtrealm", "urn:example:mail"}}), NewParty());
  DT_ASSERT_OK(request);
  EXPECT_EQ(request->reply_url, "https://mail.example/wsfed");
  EXPECT_EQ(request->token_type, Party::TOKEN_TYPE_SAML_1_1);
  EXPECT_EQ(request->context, "");
  EXPECT_FALSE(request->fresh_within);
  Party saml2 = NewParty();
  saml2.set_token_type(Party::TOKEN_TYPE_SAML_2_0);
  EXPECT_EQ(CheckSignIn(Of({}), saml2)->token_type, Party::TOKEN_TYPE_SAML_2_0);
}

TEST(WsFedRequestTest, LeavesTheContextAsItCame) {
  const std::string context = "rm=0&id=passive&ru=%2f\"<>'\xc3\xab";
  EXPECT_EQ(CheckSignIn(Of({{"wctx", context}}), NewParty())->context, context);
  EXPECT_EQ(RefusalOf({{"wctx", std::string(kContextBytesMax + 1, 'x')}}),
            reason::v1::REASON_WSFED_REQUEST_MALFORMED);
  EXPECT_EQ(RefusalOf({{"wctx", "\xff"}}), reason::v1::REASON_WSFED_REQUEST_MALFORMED);
}

// Attack: a token is sent where the attacker reads it.
TEST(WsFedRequestTest, OnlyARegisteredReplyUrlIsTakenOctetForOctet) {
  EXPECT_EQ(
      CheckSignIn(Of({{"wreply", "https://mail.example/other?a=1&b=2"}}), NewParty())->reply_url,
      "https://mail.example/other?a=1&b=2");
  for (const char* bad :
       {"https://evil.example/", "https://mail.example/wsfed/", "https://mail.example/wsfed?x",
        "https://mail.example/wsfed#x", "HTTPS://mail.example/wsfed", "//mail.example/wsfed",
        "https://mail.example:443/wsfed", "https://mail.example@evil.example/wsfed",
        "https://mail.example/wsfed\r\nx: y", "https://mail.example\\@evil.example/wsfed",
        "https://mail.example/%77sfed", " https://mail.example/wsfed", "javascript:alert(1)"}) {
    const auto request = CheckSignIn(Of({{"wreply", bad}}), NewParty());
    ASSERT_FALSE(request.ok()) << bad;
    EXPECT_EQ(rpc::ReasonOf(request.status()), reason::v1::REASON_WSFED_REPLY_NOT_REGISTERED);
    EXPECT_EQ(rpc::DetailOf(request.status())->subject(), bad);
  }
  // The first of two that hide behind one name would be as good as any.
  EXPECT_EQ(
      RefusalOf({{"wreply", "https://mail.example/wsfed"}, {"wreply", "https://evil.example/"}}),
      reason::v1::REASON_WSFED_REQUEST_MALFORMED);
}

TEST(WsFedRequestTest, RefusesTheRealmOfAnotherApp) {
  EXPECT_EQ(RefusalOf({{"wtrealm", "urn:example:mail2"}}), reason::v1::REASON_WSFED_UNKNOWN_REALM);
  EXPECT_EQ(RefusalOf({{"wtrealm", "URN:example:mail"}}), reason::v1::REASON_WSFED_UNKNOWN_REALM);
}

TEST(WsFedRequestTest, ReadsHowFreshTheSignInMustBe) {
  const auto minutes = [](const char* text) {
    return CheckSignIn(Of({{"wfresh", text}}), NewParty())->fresh_within->count();
  };
  EXPECT_EQ(minutes("0"), 0);
  EXPECT_EQ(minutes("0060"), 60);
  EXPECT_GT(minutes("99999999999999999999"), 1'000'000);
  EXPECT_LT(minutes("999999999"), 100'000'000);  // Added to a time it stays one.
  for (const char* bad : {"-1", "+1", "1.5", "1h", " 1", "0x1"}) {
    EXPECT_EQ(RefusalOf({{"wfresh", bad}}), reason::v1::REASON_WSFED_REQUEST_MALFORMED) << bad;
  }
}

TEST(WsFedRequestTest, SaysWhichWaysToAuthenticateThereAre) {
  EXPECT_EQ(CheckSignIn(Of({{"wauth", "urn:oasis:names:tc:SAML:1.0:am:password"}}), NewParty())
                ->authentication,
            Authentication::kAny);
  EXPECT_EQ(
      CheckSignIn(Of({{"wauth", "http://schemas.microsoft.com/claims/multipleauthn"}}), NewParty())
          ->authentication,
      Authentication::kMultiFactor);
  EXPECT_EQ(RefusalOf({{"wauth", "urn:ietf:rfc:2246"}}),
            reason::v1::REASON_WSFED_AUTHENTICATION_NOT_POSSIBLE);
}

TEST(WsFedRequestTest, AnAppMayAskForAKindOfToken) {
  const auto asking = [](const std::string& type) {
    return "<t:RequestSecurityToken xmlns:t=\"http://docs.oasis-open.org/ws-sx/ws-trust/200512\">"
           "<t:TokenType>" +
           type + "</t:TokenType></t:RequestSecurityToken>";
  };
  const auto type_of = [&](const std::string& type) {
    return CheckSignIn(Of({{"wreq", asking(type)}}), NewParty())->token_type;
  };
  EXPECT_EQ(type_of("urn:oasis:names:tc:SAML:2.0:assertion"), Party::TOKEN_TYPE_SAML_2_0);
  EXPECT_EQ(type_of("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"),
            Party::TOKEN_TYPE_SAML_1_1);
  for (const std::string& bad :
       {asking("urn:ietf:params:oauth:token-type:jwt"), std::string("<x/>"), std::string("junk"),
        "<!DOCTYPE x>" + asking("x")}) {
    EXPECT_EQ(RefusalOf({{"wreq", bad}}), reason::v1::REASON_WSFED_REQUEST_MALFORMED) << bad;
  }
}

// Attack: we fetch an address of a stranger's choice.
TEST(WsFedRequestTest, FollowsNoPointer) {
  EXPECT_EQ(RefusalOf({{"wreqptr", "http://169.254.169.254/"}}),
            reason::v1::REASON_WSFED_REQUEST_MALFORMED);
}

// Whatever comes is refused or leads to a registered address.
TEST(WsFedRequestTest, TakesAnyBytes) {
  const Party party = NewParty();
  const std::string good =
      "wa=wsignin1.0&wtrealm=urn%3Aexample%3Amail&wreply=https%3A%2F%2Fmail.example%2Fwsfed&wctx=a%"
      "26b"
      "&wfresh=60&wauth=urn%3Aoasis%3Anames%3Atc%3ASAML%3A1.0%3Aam%3Apassword";
  const Bytes octets(good.begin(), good.end());
  testing::ForEachMutation(octets, 5'000, 9, [&party](const Bytes& bad) {
    const auto parameters = http::ParseParameters(ToString(bad));
    if (!parameters.ok()) return;
    const auto request = CheckSignIn(*parameters, party);
    if (request.ok()) {
      ASSERT_TRUE(IsRegisteredReply(party, request->reply_url));
    }
  });
}

}  // namespace
}  // namespace devicetrust::wsfed
