#include "libs/wsfed/token.h"

#include "libs/base/encoding.h"
#include "libs/wsfed/names.h"
#include "libs/wsfed/wsfed_fixture.h"

namespace devicetrust::wsfed {
namespace {

using Party = org::v1::WsFedRelyingParty;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Whatever closes, opens or ends an element somewhere (attack 13), and an accent.
constexpr std::string_view kNasty = "Zo\xc3\xab <b>&amp;]]></saml:AttributeValue>\"'\r\n\tx";

class WsFedTokenTest : public WsFedTest {
 protected:
  WsFedTokenTest() {
    party_.set_realm("urn:example:mail?a&b");
    party_.add_reply_urls("https://mail.example/wsfed?x=1&y=2");
    subject_.user.set_id("u-1");
    subject_.user.set_sid("S-1-5-21-1-2-3-1104");
    subject_.user.set_principal("zo\xc3\xab@corp.test");
    subject_.user.set_email("zoe@corp.test");
    subject_.user.set_display_name(std::string(kNasty));
    subject_.user.add_groups("R&D");
    subject_.user.add_groups("<admins>");
    subject_.authenticated_at = kIssuedAt - std::chrono::minutes{3};
  }

  std::string Build(Party::TokenType type = Party::TOKEN_TYPE_SAML_1_1) {
    answer_.token_type = type;
    return BuildTokenResponse(kTrust2005Ns, answer_, party_.realm(),
                              BuildToken(answer_, party_, subject_, signer_, random_).value());
  }

  static saml::XmlElement Only(saml::XmlElement parent, std::string_view ns,
                               std::string_view name) {
    const auto child = parent.Child(ns, name);
    EXPECT_TRUE(child.ok() && *child) << name;
    return **child;
  }

  static saml::XmlElement AssertionOf(const saml::XmlDocument& document, std::string_view ns) {
    return Only(Only(document.root(), kTrust2005Ns, "RequestedSecurityToken"), ns, "Assertion");
  }

  Party party_;
  Subject subject_;
  Answer answer_{"https://org.localhost:8443/FederationMetadata/2007-06/FederationMetadata.xml",
                 "https://mail.example/wsfed?x=1&y=2", Party::TOKEN_TYPE_SAML_1_1, kIssuedAt};
};

TEST_F(WsFedTokenTest, BothKindsVerifyWithXmlsec1) {
  const std::pair<Party::TokenType, std::pair<const char*, std::string>> kinds[] = {
      {Party::TOKEN_TYPE_SAML_1_1, {"AssertionID", std::string(kSaml11Ns) + ":Assertion"}},
      {Party::TOKEN_TYPE_SAML_2_0, {"ID", std::string(saml::kSamlNs) + ":Assertion"}}};
  for (const auto& [type, signed_part] : kinds) {
    std::string xml = Build(type);
    EXPECT_EQ(XmlSec(xml, signed_part.first, signed_part.second), 0) << xml;
    xml.replace(xml.find("zoe@corp.test"), 3, "eve");
    EXPECT_NE(XmlSec(xml, signed_part.first, signed_part.second), 0);
  }
}

// Some relying parties find no signature when there is white space around the assertion.
TEST_F(WsFedTokenTest, HasNoWhiteSpaceBetweenElements) {
  subject_.user.clear_display_name();
  EXPECT_THAT(Build(), Not(::testing::MatchesRegex(".*>[ \r\n\t]+<.*")));
  EXPECT_THAT(Build(Party::TOKEN_TYPE_SAML_2_0), Not(HasSubstr("> <")));
}

TEST_F(WsFedTokenTest, NamesOneAudienceAndAShortTime) {
  const std::string xml = Build();
  const auto document = saml::XmlDocument::Parse(xml).value();
  const saml::XmlElement assertion = AssertionOf(document, kSaml11Ns);
  EXPECT_EQ(assertion.Attribute("MajorVersion"), "1");
  EXPECT_EQ(assertion.Attribute("MinorVersion"), "1");
  EXPECT_EQ(assertion.Attribute("Issuer"), answer_.issuer);
  const saml::XmlElement conditions = Only(assertion, kSaml11Ns, "Conditions");
  EXPECT_EQ(conditions.Attribute("NotBefore"), "2025-12-31T23:59:00Z");
  EXPECT_EQ(conditions.Attribute("NotOnOrAfter"), "2026-01-01T00:05:00Z");
  const saml::XmlElement restriction = Only(conditions, kSaml11Ns, "AudienceRestrictionCondition");
  EXPECT_EQ(Only(restriction, kSaml11Ns, "Audience").Text(), party_.realm());
  EXPECT_THAT(xml, HasSubstr("AuthenticationInstant=\"2025-12-31T23:57:00Z\""));
}

// Relying parties put namespace and name together with a slash.
TEST_F(WsFedTokenTest, TellsTheGeneralClaimsEachNameOnce) {
  const auto document = saml::XmlDocument::Parse(Build()).value();
  const saml::XmlElement statement =
      Only(AssertionOf(document, kSaml11Ns), kSaml11Ns, "AttributeStatement");
  std::map<std::string, std::vector<std::string>> told;
  for (const saml::XmlElement& attribute : statement.Children(kSaml11Ns, "Attribute")) {
    const std::string name = attribute.Attribute("AttributeNamespace").value() + "/" +
                             attribute.Attribute("AttributeName").value();
    EXPECT_FALSE(told.contains(name));
    for (const saml::XmlElement& value : attribute.Children()) told[name].push_back(value.Text());
  }
  const std::string claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
  EXPECT_THAT(told[claims + "upn"], ElementsAre("zo\xc3\xab@corp.test"));
  EXPECT_THAT(told[claims + "emailaddress"], ElementsAre("zoe@corp.test"));
  EXPECT_THAT(told[claims + "name"],
              ElementsAre("Zo\xc3\xab <b>&amp;]]></saml:AttributeValue>\"'\r\n\tx"));
  EXPECT_THAT(told["http://schemas.xmlsoap.org/claims/Group"], ElementsAre("R&D", "<admins>"));
  EXPECT_FALSE(told.contains(claims + "givenname"));  // Nobody knows it.
}

TEST_F(WsFedTokenTest, ASaml20TokenNamesTheReplyUrlAsRecipient) {
  const auto document = saml::XmlDocument::Parse(Build(Party::TOKEN_TYPE_SAML_2_0)).value();
  const saml::XmlElement assertion = AssertionOf(document, saml::kSamlNs);
  const saml::XmlElement confirmation =
      Only(Only(assertion, saml::kSamlNs, "Subject"), saml::kSamlNs, "SubjectConfirmation");
  const saml::XmlElement data = Only(confirmation, saml::kSamlNs, "SubjectConfirmationData");
  EXPECT_EQ(data.Attribute("Recipient"), answer_.reply_url);
  EXPECT_EQ(data.Attribute("InResponseTo"), std::nullopt);
  EXPECT_EQ(Only(document.root(), kTrust2005Ns, "TokenType").Text(), saml::kSamlNs);
}

TEST_F(WsFedTokenTest, TellsOffice365WhatItReadsAndNothingElse) {
  party_.set_realm("urn:federation:MicrosoftOnline");
  party_.set_claims(Party::CLAIMS_OFFICE_365);
  const std::string immutable_id = ImmutableIdOf(subject_.user);
  EXPECT_EQ(HexEncode(Base64Decode(immutable_id).value()),
            "010500000000000515000000010000000200000003000000"
            "50040000");
  subject_.multi_factor = true;
  std::vector<std::string> names;
  for (const Claim& claim : ClaimsOf(party_, subject_)) names.push_back(claim.name);
  EXPECT_THAT(names,
              ElementsAre("http://schemas.xmlsoap.org/claims/UPN",
                          "http://schemas.microsoft.com/LiveID/Federation/2008/05/ImmutableID",
                          "http://schemas.microsoft.com/claims/authnmethodsreferences"));
  EXPECT_THAT(Build(), HasSubstr("unspecified\">" + immutable_id + "</saml:NameIdentifier>"));
  subject_.multi_factor = false;
  EXPECT_THAT(ClaimsOf(party_, subject_), ::testing::SizeIs(2));
}

// Whoever has no name would be everybody who has none.
TEST_F(WsFedTokenTest, NobodyIsNamedByNothing) {
  party_.set_claims(Party::CLAIMS_OFFICE_365);
  for (const char* sid : {"", "S-1-", "no SID"}) {
    subject_.user.set_sid(sid);
    const auto token = BuildToken(answer_, party_, subject_, signer_, random_);
    EXPECT_EQ(rpc::ReasonOf(token.status()), reason::v1::REASON_USER_NOT_IN_DOMAIN) << sid;
  }
}

TEST_F(WsFedTokenTest, TellsWhatAnAdministratorChose) {
  const auto choose = [this](const char* name, org::v1::UserField field, const char* value,
                             const char* prefix = "") {
    org::v1::AttributeMapping& mapping = *party_.add_attributes();
    mapping.set_name(name);
    mapping.set_field(field);
    mapping.set_value(value);
    mapping.set_group_prefix(prefix);
  };
  choose("http://x.example/role", org::v1::USER_FIELD_GROUPS, "", "R&");
  choose("http://x.example/tenant", org::v1::USER_FIELD_UNSPECIFIED, "acme");
  choose("http://x.example/surname", org::v1::USER_FIELD_SURNAME, "");
  const std::vector<Claim> claims = ClaimsOf(party_, subject_);
  ASSERT_THAT(claims, ::testing::SizeIs(2));
  EXPECT_THAT(claims[0].values, ElementsAre("R&D"));
  EXPECT_THAT(claims[1].values, ElementsAre("acme"));
}

}  // namespace
}  // namespace devicetrust::wsfed
