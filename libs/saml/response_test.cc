#include "libs/saml/response.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/files.h"
#include "libs/saml/request.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::saml {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr WallTime kIssuedAt{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
// Whatever closes, opens or ends an element somewhere (attack 13), and an accent.
constexpr std::string_view kNasty = "Zo\xc3\xab <b>&amp;]]></saml:NameID>\"'\r\n\tx";

class SamlResponseTest : public ::testing::Test {
 protected:
  static pki::Identity NewSigner(pki::KeyType type = pki::KeyType::kRsa2048) {
    const pki::PrivateKey key = pki::PrivateKey::Generate(type).value();
    return {pki::SignSelf({.common_name = "org",
                           .serial_hex = "01",
                           .usage = pki::Usage::kCa,
                           .not_before = kIssuedAt,
                           .not_after = kIssuedAt + std::chrono::hours{1}},
                          key)
                .value(),
            key};
  }

  Subject NewSubject() {
    Subject subject;
    subject.user.set_id("u-1");
    subject.user.set_principal("zo\xc3\xab@corp.test");
    subject.user.set_email("zoe@corp.test");
    subject.user.set_display_name(std::string(kNasty));
    subject.user.add_groups("R&D");
    subject.user.add_groups("<admins>");
    subject.name_id =
        NameIdOf(subject.user, kNameIdUnspecified, {answer_.idp_entity_id, provider_, "s"});
    subject.session_index = "s-1";
    subject.authenticated_at = kIssuedAt - std::chrono::minutes{3};
    subject.session_ends_at = kIssuedAt + std::chrono::hours{12};
    return subject;
  }

  std::string Build() {
    return BuildResponse(answer_, NewSubject(), provider_, signer_, random_).value();
  }
  std::string Build(org::v1::SamlSignedPart part) {
    provider_.mutable_settings()->set_signed_part(part);
    return Build();
  }

  // Exit status of xmlsec1 over the signature at `xpath`.
  int XmlSec(const std::string& xml, const std::string& xpath) {
    const testing::TempFolder folder;
    DT_EXPECT_OK(WriteFileAtomically(folder / "response.xml", xml));
    DT_EXPECT_OK(WriteFileAtomically(folder / "org.pem", signer_.certificate.Pem()));
    const std::string command = fmt::format(
        "xmlsec1 --verify --enabled-reference-uris empty,same-doc --pubkey-cert-pem {0}/org.pem "
        "--id-attr:ID {1}:Response --id-attr:ID {2}:Assertion --node-xpath \"{3}\" "
        "{0}/response.xml >{0}/xmlsec.log 2>&1",
        folder.path(), kSamlpNs, kSamlNs, xpath);
    return std::system(command.c_str());
  }

  static org::v1::SamlServiceProvider NewProvider() {
    org::v1::SamlServiceProvider provider;
    provider.set_entity_id("https://sp.example/a?b&c");
    return provider;
  }

  pki::Identity signer_ = NewSigner();
  org::v1::SamlServiceProvider provider_ = NewProvider();
  throwaway::SeededRandom random_{7};
  Answer answer_{"https://org.localhost:8443/saml/metadata", "https://sp.example/a?b&c",
                 "https://sp.example/acs?x=1&y=2", "_r1", kIssuedAt};
};

constexpr const char* kResponseSignature = "/*/*[local-name()='Signature']";
constexpr const char* kAssertionSignature =
    "/*/*[local-name()='Assertion']/*[local-name()='Signature']";

TEST_F(SamlResponseTest, SignaturesOfBothKindsOfKeyVerifyWithXmlsec1) {
  for (const pki::KeyType type : {pki::KeyType::kRsa2048, pki::KeyType::kP256}) {
    signer_ = NewSigner(type);
    std::string xml = Build(org::v1::SAML_SIGNED_PART_BOTH);
    EXPECT_EQ(XmlSec(xml, kResponseSignature), 0);
    EXPECT_EQ(XmlSec(xml, kAssertionSignature), 0);
    xml.replace(xml.find("zoe@corp.test"), 3, "eve");
    EXPECT_NE(XmlSec(xml, kResponseSignature), 0);
    EXPECT_NE(XmlSec(xml, kAssertionSignature), 0);
    const std::string failure =
        BuildFailure(answer_, Failure::kNoPassive, signer_, random_).value();
    EXPECT_EQ(XmlSec(failure, kResponseSignature), 0);
  }
  signer_ = NewSigner(pki::KeyType::kP384);
  DT_EXPECT_CODE(BuildResponse(answer_, NewSubject(), provider_, signer_, random_),
                 kFailedPrecondition);
}

// One signature is enough, and most of the cost.
TEST_F(SamlResponseTest, SignsWhatTheAppWants) {
  const auto signatures = [](const std::string& xml) {
    const XmlDocument document = XmlDocument::Parse(xml).value();
    const XmlElement assertion = document.root().Child(kSamlNs, "Assertion")->value();
    return std::pair(document.root().Children(kDsigNs, "Signature").size(),
                     assertion.Children(kDsigNs, "Signature").size());
  };
  using Count = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(signatures(Build()), Count(1, 0));
  provider_.set_wants_assertions_signed(true);
  EXPECT_EQ(signatures(Build()), Count(0, 1));
  EXPECT_EQ(XmlSec(Build(), kAssertionSignature), 0);
  EXPECT_EQ(signatures(Build(org::v1::SAML_SIGNED_PART_RESPONSE)), Count(1, 0));
  EXPECT_EQ(XmlSec(Build(), kResponseSignature), 0);
  EXPECT_EQ(signatures(Build(org::v1::SAML_SIGNED_PART_BOTH)), Count(1, 1));
  EXPECT_EQ(signatures(Build(org::v1::SAML_SIGNED_PART_ASSERTION)), Count(0, 1));
}

// What we write is canonical already, so what was signed is what is sent.
TEST_F(SamlResponseTest, IsInCanonicalForm) {
  const std::string xml = Build(org::v1::SAML_SIGNED_PART_BOTH);
  const XmlDocument document = XmlDocument::Parse(xml).value();
  EXPECT_EQ(Canonicalize(document, document.root(), std::nullopt).value(), xml);
  DT_EXPECT_OK(VerifyRootSignature(document, {signer_.certificate}));
  DT_EXPECT_CODE(VerifyRootSignature(document, {NewSigner().certificate}), kPermissionDenied);
}

TEST_F(SamlResponseTest, SaysWhatServiceProvidersDemand) {
  const XmlDocument document = XmlDocument::Parse(Build()).value();
  const XmlElement root = document.root();
  EXPECT_TRUE(root.Is(kSamlpNs, "Response"));
  EXPECT_EQ(root.Attribute("Destination"), "https://sp.example/acs?x=1&y=2");
  EXPECT_EQ(root.Attribute("InResponseTo"), "_r1");
  const XmlElement assertion = root.Child(kSamlNs, "Assertion")->value();
  const XmlElement subject = assertion.Child(kSamlNs, "Subject")->value();
  EXPECT_EQ(subject.Child(kSamlNs, "NameID")->value().Text(), "zo\xc3\xab@corp.test");
  const XmlElement data = subject.Child(kSamlNs, "SubjectConfirmation")
                              ->value()
                              .Child(kSamlNs, "SubjectConfirmationData")
                              ->value();
  EXPECT_EQ(data.Attribute("InResponseTo"), "_r1");
  EXPECT_EQ(data.Attribute("Recipient"), "https://sp.example/acs?x=1&y=2");
  EXPECT_EQ(data.Attribute("NotOnOrAfter"), "2026-01-01T00:05:00Z");
  const XmlElement audience = assertion.Child(kSamlNs, "Conditions")
                                  ->value()
                                  .Child(kSamlNs, "AudienceRestriction")
                                  ->value();
  EXPECT_EQ(audience.Text(), "https://sp.example/a?b&c");
  const XmlElement statement = assertion.Child(kSamlNs, "AuthnStatement")->value();
  EXPECT_EQ(statement.Attribute("AuthnInstant"), "2025-12-31T23:57:00Z");
  EXPECT_EQ(statement.Text(), "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport");
  const std::vector<XmlElement> attributes =
      assertion.Child(kSamlNs, "AttributeStatement")->value().Children();
  ASSERT_EQ(attributes.size(), 4U);  // No element for what the user lacks.
  EXPECT_EQ(attributes[2].Attribute("Name"), "displayName");
  EXPECT_EQ(attributes[2].Text(), "Zo\xc3\xab <b>&amp;]]></saml:NameID>\"'\r\n\tx");
  EXPECT_EQ(attributes[3].Children().size(), 2U);
  EXPECT_EQ(attributes[3].Children()[1].Text(), "<admins>");
}

// Attack 13: an identity provider that writes names between tags gives away other names.
TEST_F(SamlResponseTest, NoNameBecomesMarkup) {
  for (const std::string name :
       {"x</saml:NameID><saml:NameID>eve@corp.test", "]]><saml:Attribute Name=\"principal\">",
        "<![CDATA[eve]]>", "<!-- -->eve", "&eve;&lt;", "&#60;x&#62;", "\"' onclick=\"x",
        "<?xml version=\"1.0\"?>", "eve<!--", "a\tb"}) {
    Subject named = NewSubject();
    named.user.set_principal(name);
    named.user.set_display_name(name);
    named.user.clear_groups();
    named.user.add_groups(name);
    named.name_id.value = name;
    const std::string xml = BuildResponse(answer_, named, provider_, signer_, random_).value();
    const auto document = XmlDocument::Parse(xml);
    DT_ASSERT_OK(document);
    DT_EXPECT_OK(VerifyRootSignature(*document, {signer_.certificate})) << name;
    const XmlElement assertion = document->root().Child(kSamlNs, "Assertion")->value();
    const XmlElement subject = assertion.Child(kSamlNs, "Subject")->value();
    EXPECT_EQ(subject.Child(kSamlNs, "NameID")->value().Text(), name);
    for (const XmlElement& attribute :
         assertion.Child(kSamlNs, "AttributeStatement")->value().Children()) {
      const auto told = attribute.Attribute("Name");
      if (told != "principal" && told != "displayName" && told != "groups") continue;
      ASSERT_EQ(attribute.Children().size(), 1U) << name;
      EXPECT_EQ(attribute.Children()[0].Text(), name);
    }
  }
}

TEST_F(SamlResponseTest, UnsolicitedNamesNoRequest) {
  answer_.in_response_to.clear();
  EXPECT_THAT(Build(), Not(HasSubstr("InResponseTo")));
}

TEST_F(SamlResponseTest, NameIdsDifferAsTheirFormatsSay) {
  org::v1::SamlServiceProvider other;
  other.set_entity_id("https://other.example");
  const auto name_id = [&](std::string_view format, const org::v1::SamlServiceProvider& provider,
                           std::string_view session = "s-1") {
    return NameIdOf(NewSubject().user, format, {answer_.idp_entity_id, provider, session}).value;
  };
  EXPECT_EQ(name_id(kNameIdEmail, provider_), "zoe@corp.test");
  EXPECT_EQ(name_id(kNameIdUnspecified, provider_), "zo\xc3\xab@corp.test");
  EXPECT_EQ(name_id(kNameIdPersistent, provider_), name_id(kNameIdPersistent, provider_, "s-2"));
  EXPECT_NE(name_id(kNameIdPersistent, provider_), name_id(kNameIdPersistent, other));
  // The same at sign-out, and another in another session.
  EXPECT_EQ(name_id(kNameIdTransient, provider_), name_id(kNameIdTransient, provider_));
  EXPECT_NE(name_id(kNameIdTransient, provider_), name_id(kNameIdTransient, other));
  EXPECT_NE(name_id(kNameIdTransient, provider_), name_id(kNameIdTransient, provider_, "s-2"));
  provider_.mutable_settings()->set_name_id_field(org::v1::USER_FIELD_USER_ID);
  EXPECT_EQ(name_id(kNameIdUnspecified, provider_), "u-1");
  // Who has no such thing is named all the same.
  provider_.mutable_settings()->set_name_id_field(org::v1::USER_FIELD_SID);
  EXPECT_EQ(name_id(kNameIdEmail, provider_), "zo\xc3\xab@corp.test");
}

TEST_F(SamlResponseTest, TheFormatIsTheRequestsThenTheAppsThenTheMetadatasThenTheOrgs) {
  EXPECT_EQ(NameIdFormatFor("", provider_, ""), kNameIdUnspecified);
  EXPECT_EQ(NameIdFormatFor("", provider_, kNameIdEmail), kNameIdEmail);
  provider_.add_name_id_formats("urn:x");
  provider_.add_name_id_formats(std::string(kNameIdTransient));
  EXPECT_EQ(NameIdFormatFor("", provider_, kNameIdEmail), kNameIdTransient);
  provider_.mutable_settings()->set_name_id_format(std::string(kNameIdPersistent));
  EXPECT_EQ(NameIdFormatFor("", provider_, kNameIdEmail), kNameIdPersistent);
  EXPECT_EQ(NameIdFormatFor(kNameIdEmail, provider_, ""), kNameIdEmail);
}

TEST_F(SamlResponseTest, AnAppIsToldWhatItsSettingsSay) {
  const auto add = [&](const char* name) {
    org::v1::AttributeMapping& mapping = *provider_.mutable_settings()->add_attributes();
    mapping.set_name(name);
    return &mapping;
  };
  org::v1::AttributeMapping* const mail = add("urn:oid:0.9.2342.19200300.100.1.3");
  mail->set_field(org::v1::USER_FIELD_EMAIL);
  mail->set_name_format(org::v1::ATTRIBUTE_NAME_FORMAT_URI);
  add("role")->set_value("a \"value\" & more");
  org::v1::AttributeMapping* const groups = add("memberOf");
  groups->set_field(org::v1::USER_FIELD_GROUPS);
  groups->set_group_prefix("R&");
  add("none")->set_field(org::v1::USER_FIELD_SID);  // The user has none.
  const XmlDocument document = XmlDocument::Parse(Build()).value();
  const std::vector<XmlElement> attributes = document.root()
                                                 .Child(kSamlNs, "Assertion")
                                                 ->value()
                                                 .Child(kSamlNs, "AttributeStatement")
                                                 ->value()
                                                 .Children();
  ASSERT_EQ(attributes.size(), 3U);
  EXPECT_EQ(attributes[0].Attribute("NameFormat"),
            "urn:oasis:names:tc:SAML:2.0:attrname-format:uri");
  EXPECT_EQ(attributes[1].Text(), "a \"value\" & more");
  EXPECT_EQ(attributes[1].Attribute("NameFormat"),
            "urn:oasis:names:tc:SAML:2.0:attrname-format:basic");
  ASSERT_EQ(attributes[2].Children().size(), 1U);
  EXPECT_EQ(attributes[2].Text(), "R&D");
  // The schema has no empty statement.
  provider_.mutable_settings()->mutable_attributes()->DeleteSubrange(0, 3);
  EXPECT_THAT(Build(), Not(HasSubstr("AttributeStatement")));
}

TEST_F(SamlResponseTest, SessionIndexesDifferAtEachServiceProvider) {
  const std::string index = SessionIndexOf("session-1", "https://sp.example");
  EXPECT_EQ(index.size(), 32U);
  EXPECT_EQ(SessionIndexOf("session-1", "https://sp.example"), index);
  EXPECT_NE(SessionIndexOf("session-1", "https://other.example"), index);
  EXPECT_NE(SessionIndexOf("session-2", "https://sp.example"), index);
}

TEST_F(SamlResponseTest, FailuresHaveNoAssertion) {
  const std::string xml = BuildFailure(answer_, Failure::kNoPassive, signer_, random_).value();
  EXPECT_THAT(xml, HasSubstr("status:NoPassive"));
  EXPECT_THAT(xml, Not(HasSubstr("Assertion")));
}

}  // namespace
}  // namespace devicetrust::saml
