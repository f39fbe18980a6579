#include "simulator/apps/relying_party.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/base/utc_time.h"
#include "libs/testing/settable_clock.h"
#include "libs/testing/status.h"
#include "simulator/apps/idp_fixture.h"

namespace devicetrust::simulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kSaml11 = "urn:oasis:names:tc:SAML:1.0:assertion";
constexpr std::string_view kClaims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";

struct TokenParts {
  std::string realm = "urn:example:office";
  std::string applies_to = "urn:example:office";
  std::string issuer = "https://org.localhost/fed";
  std::string recipient = "https://office.localhost/wsfed";
  std::string id = "_token";
  std::string extra;  // After the token.
  WallTime issued;
};

std::string Around(const TokenParts& parts, const std::string& assertion) {
  return fmt::format(
      R"(<t:RequestSecurityTokenResponse xmlns:t="http://schemas.xmlsoap.org/ws/2005/02/trust">)"
      R"(<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">)"
      R"(<a:EndpointReference xmlns:a="http://www.w3.org/2005/08/addressing"><a:Address>)"
      R"({}</a:Address>)"
      R"(</a:EndpointReference></wsp:AppliesTo><t:RequestedSecurityToken>{})"
      R"(</t:RequestedSecurityToken>)"
      R"({}</t:RequestSecurityTokenResponse>)",
      parts.applies_to, assertion, parts.extra);
}

std::string Unsigned11(const TokenParts& parts) {
  const auto at = [&parts](int seconds) {
    return FormatUtc(parts.issued + std::chrono::seconds(seconds));
  };
  const std::string subject =
      "<s:Subject><s:NameIdentifier>user9@corp.test</s:NameIdentifier><s:SubjectConfirmation>"
      "<s:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</s:ConfirmationMethod>"
      "</s:SubjectConfirmation></s:Subject>";
  return Around(
      parts,
      fmt::format(
          R"(<s:Assertion xmlns:s="{0}" MajorVersion="1" MinorVersion="1" AssertionID="{1}")"
          R"( Issuer="{2}" IssueInstant="{3}"><s:Conditions NotBefore="{3}" NotOnOrAfter="{4}">)"
          R"(<s:AudienceRestrictionCondition><s:Audience>{5}</s:Audience>)"
          R"(</s:AudienceRestrictionCondition></s:Conditions><s:AttributeStatement>{6}<s:Attribute)"
          R"( AttributeName="upn" AttributeNamespace="{7}"><s:AttributeValue>user9@corp.test)"
          R"(</s:AttributeValue></s:Attribute></s:AttributeStatement><s:AuthenticationStatement)"
          R"( AuthenticationInstant="{3}" AuthenticationMethod="x">{6}</s:AuthenticationStatement>)"
          R"({8}</s:Assertion>)",
          kSaml11, parts.id, parts.issuer, at(0), at(300), parts.realm, subject, kClaims,
          TestIdp::SignatureTemplate(parts.id)));
}

std::string Unsigned20(const TokenParts& parts) {
  const auto at = [&parts](int seconds) {
    return FormatUtc(parts.issued + std::chrono::seconds(seconds));
  };
  return Around(
      parts,
      fmt::format(
          R"(<s:Assertion xmlns:s="urn:oasis:names:tc:SAML:2.0:assertion" ID="{0}" Version="2.0")"
          R"( IssueInstant="{2}"><s:Issuer>{1}</s:Issuer>{7}<s:Subject><s:NameID>user9@corp.test)"
          R"(</s:NameID><s:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">)"
          R"(<s:SubjectConfirmationData Recipient="{4}" NotOnOrAfter="{3}"/>)"
          R"(</s:SubjectConfirmation>)"
          R"(</s:Subject><s:Conditions NotBefore="{2}" NotOnOrAfter="{3}"><s:AudienceRestriction>)"
          R"(<s:Audience>{5}</s:Audience></s:AudienceRestriction></s:Conditions>)"
          R"(<s:AttributeStatement><s:Attribute Name="{6}/upn"><s:AttributeValue>user9@corp.test)"
          R"(</s:AttributeValue></s:Attribute></s:AttributeStatement></s:Assertion>)",
          parts.id, parts.issuer, at(0), at(300), parts.recipient, parts.realm, kClaims,
          TestIdp::SignatureTemplate(parts.id)));
}

class RelyingPartyTest : public ::testing::Test {
 protected:
  RelyingPartyTest() {
    party_.SetIssuer({"https://org.localhost/fed",
                      "https://org.localhost/sso/wsfed",
                      "",
                      {idp_.key().public_key()}});
  }

  TokenParts Parts() const {
    TokenParts parts;
    parts.issued = clock_.Now();
    return parts;
  }
  std::string Signed11(const TokenParts& parts) const {
    return idp_.Sign(Unsigned11(parts), std::string(kSaml11) + ":Assertion", "AssertionID");
  }
  std::string Signed20(const TokenParts& parts) const {
    return idp_.Sign(Unsigned20(parts), "urn:oasis:names:tc:SAML:2.0:assertion:Assertion");
  }
  std::string WhyNot(const std::string& wresult) {
    const auto token = party_.TakeToken(wresult);
    return token.ok() ? "taken" : std::string(token.status().message());
  }

  testing::SettableClock clock_{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
  const TestIdp idp_;
  RelyingParty party_{{"office", "Office", "urn:example:office", "https://office.localhost/wsfed"},
                      clock_};
};

TEST_F(RelyingPartyTest, TakesBothKindsOfToken) {
  const auto saml11 = party_.TakeToken(Signed11(Parts()));
  DT_ASSERT_OK(saml11);
  EXPECT_TRUE(saml11->saml11);
  EXPECT_EQ(saml11->name, "user9@corp.test");
  TokenParts other = Parts();
  other.id = "_other";
  const auto saml20 = party_.TakeToken(Signed20(other));
  DT_ASSERT_OK(saml20);
  EXPECT_FALSE(saml20->saml11);
  for (const auto& token : {*saml11, *saml20}) {
    EXPECT_THAT(token.claims.at(std::string(kClaims) + "/upn"), ElementsAre("user9@corp.test"));
  }
}

TEST_F(RelyingPartyTest, TakesATokenOnce) {
  const std::string token = Signed11(Parts());
  EXPECT_EQ(WhyNot(token), "taken");
  EXPECT_THAT(WhyNot(token), HasSubstr("taken before"));
}

TEST_F(RelyingPartyTest, RefusesWhatIsForOthersOrNotSigned) {
  const auto with = [this](auto change) {
    TokenParts parts = Parts();
    change(parts);
    return parts;
  };
  const TokenParts other_realm = with([](TokenParts& p) { p.realm = "urn:example:crm"; });
  EXPECT_THAT(WhyNot(Signed11(other_realm)), HasSubstr("audience"));
  EXPECT_THAT(WhyNot(Signed20(other_realm)), HasSubstr("audience"));
  const TokenParts elsewhere = with([](TokenParts& p) { p.recipient = "https://evil.example/"; });
  EXPECT_THAT(WhyNot(Signed20(elsewhere)), HasSubstr("recipient"));
  const TokenParts applies = with([](TokenParts& p) { p.applies_to = "urn:example:crm"; });
  EXPECT_THAT(WhyNot(Signed11(applies)), HasSubstr("AppliesTo"));
  const TokenParts issuer = with([](TokenParts& p) { p.issuer = "https://evil.example/"; });
  EXPECT_THAT(WhyNot(Signed11(issuer)), HasSubstr("issuer"));
  EXPECT_THAT(WhyNot(Signed20(issuer)), HasSubstr("issuer"));
  EXPECT_NE(WhyNot(Unsigned11(Parts())), "taken");
  const std::string changed = Replaced(Signed11(Parts()), "user9@", "user1@");
  EXPECT_THAT(WhyNot(changed), HasSubstr("changed"));
}

// Attack 12: another assertion beside the signed one.
TEST_F(RelyingPartyTest, RefusesASecondAssertionAnywhere) {
  TokenParts parts = Parts();
  parts.extra = "<x xmlns=\"urn:x\"><s:Assertion xmlns:s=\"" + std::string(kSaml11) + "\"/></x>";
  EXPECT_THAT(WhyNot(Signed11(parts)), HasSubstr("more than its one"));
}

TEST_F(RelyingPartyTest, RefusesATokenThatIsOverOrNotYetValid) {
  TokenParts parts = Parts();
  parts.issued -= std::chrono::seconds(331);
  EXPECT_THAT(WhyNot(Signed11(parts)), HasSubstr("over"));
  parts.issued = clock_.Now() + std::chrono::seconds(31);
  EXPECT_THAT(WhyNot(Signed20(parts)), HasSubstr("not valid yet"));
}

}  // namespace
}  // namespace devicetrust::simulator
