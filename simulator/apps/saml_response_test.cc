#include "simulator/apps/saml_response.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "simulator/apps/idp_fixture.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::seconds;

class SamlResponseTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    idp_ = std::make_unique<TestIdp>();
    good_ = idp_->Respond(Parts());
  }
  static void TearDownTestSuite() { idp_.reset(); }

  static ResponseParts Parts() {
    ResponseParts parts;
    parts.issued = kNow;
    return parts;
  }

  static absl::StatusOr<Assertion> Verify(const std::string& xml, WallTime now = kNow) {
    const std::array keys = {idp_->key().public_key()};
    return VerifyResponse(xml, ResponseRules{.idp_entity_id = "https://org.localhost/saml",
                                             .idp_keys = keys,
                                             .sp_entity_id = "urn:example:mail",
                                             .acs_url = "https://mail.localhost/acs",
                                             .request_id = "_request",
                                             .now = now});
  }

  // A message that says why, and never an answer.
  static void ExpectRefused(const std::string& xml, const std::string& why) {
    const absl::StatusOr<Assertion> result = Verify(xml);
    ASSERT_FALSE(result.ok()) << why;
    EXPECT_NE(result.status().ToString().find(why), std::string::npos) << result.status();
  }

  // The signed assertion as it stands in good_.
  static std::string SignedAssertion() {
    const std::size_t begin = good_.find("<saml:Assertion");
    const std::string end = "</saml:Assertion>";
    return good_.substr(begin, good_.find(end) + end.size() - begin);
  }
  // The same without its signature, in another name.
  static std::string EvilAssertion(const std::string& id) {
    std::string evil = SignedAssertion();
    const std::size_t begin = evil.find("<ds:Signature ");
    const std::string end = "</ds:Signature>";
    evil.erase(begin, evil.find(end) + end.size() - begin);
    return Replaced(Replaced(evil, "user9@corp.test", "admin@corp.test"), "_assertion", id);
  }

  static constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
  static std::unique_ptr<TestIdp> idp_;
  static std::string good_;
};
std::unique_ptr<TestIdp> SamlResponseTest::idp_;
std::string SamlResponseTest::good_;

TEST_F(SamlResponseTest, ReadsWhatXmlsec1Signed) {
  const absl::StatusOr<Assertion> assertion = Verify(good_);
  ASSERT_TRUE(assertion.ok()) << assertion.status();
  EXPECT_EQ(assertion->name_id, "user9@corp.test");
  EXPECT_EQ(assertion->session_index, "_session");
  EXPECT_EQ(assertion->attributes.at("displayName").front(), "Zoë <Q&A> Müller");
}

TEST_F(SamlResponseTest, VerifiesTheResponsesSignatureTooWhenThereIsOne) {
  const std::string both = idp_->Sign(
      Replaced(good_, "<samlp:Status>", TestIdp::SignatureTemplate("_response") + "<samlp:Status>"),
      "urn:oasis:names:tc:SAML:2.0:protocol:Response");
  const absl::StatusOr<Assertion> assertion = Verify(both);
  ASSERT_TRUE(assertion.ok()) << assertion.status();
  ExpectRefused(Replaced(both, "_session", "_other"), "digest differs");
}

TEST_F(SamlResponseTest, RefusesWhatIsForAnotherOrFromAnother) {
  ResponseParts parts = Parts();
  parts.audience = "urn:example:wiki";
  ExpectRefused(idp_->Respond(parts), "another audience");
  parts = Parts();
  parts.acs = "https://wiki.localhost/acs";
  ExpectRefused(idp_->Respond(parts), "Destination");
  parts = Parts();
  parts.request_id = "_other";
  ExpectRefused(idp_->Respond(parts), "InResponseTo");
  parts = Parts();
  parts.issuer = "https://evil.localhost/saml";
  ExpectRefused(idp_->Respond(parts), "Issuer");
  parts = Parts();
  parts.extra_condition = "<saml:ProxyRestriction Count=\"0\"/>";
  ExpectRefused(idp_->Respond(parts), "not understood");
}

TEST_F(SamlResponseTest, HoldsTheTimes) {
  EXPECT_TRUE(Verify(good_, kNow + seconds(300 + 29)).ok());
  EXPECT_FALSE(Verify(good_, kNow + seconds(300 + 30)).ok());
  EXPECT_TRUE(Verify(good_, kNow - seconds(30)).ok());
  EXPECT_FALSE(Verify(good_, kNow - seconds(31)).ok());
}

TEST_F(SamlResponseTest, RefusesAChangedUnsignedOrForeignAssertion) {
  ExpectRefused(Replaced(good_, "user9@corp.test", "user8@corp.test"), "digest differs");
  std::string bare = good_;
  ExpectRefused(Replaced(good_, SignedAssertion(), EvilAssertion("_assertion")), "Signature");
  const TestIdp other;
  ExpectRefused(other.Respond(Parts()), "no key of the identity provider");
  ExpectRefused(TestIdp::Unsigned(Parts()), "digest differs");
}

// The shapes of signature wrapping (findings/attacks, 12): the signature still verifies, over an
// element that is not the one a careless reader would take.
TEST_F(SamlResponseTest, RefusesWrappedSignatures) {
  const std::string signed_assertion = SignedAssertion();
  const std::string evil = EvilAssertion("_evil");
  // Beside it, before and after.
  ExpectRefused(Replaced(good_, signed_assertion, evil + signed_assertion), "Assertion");
  ExpectRefused(Replaced(good_, signed_assertion, signed_assertion + evil), "Assertion");
  // Inside the evil one, and inside an extension.
  const std::string inside = Replaced(evil, "<saml:Subject>", signed_assertion + "<saml:Subject>");
  ExpectRefused(Replaced(good_, signed_assertion, inside), "more than its one");
  ExpectRefused(
      Replaced(Replaced(good_, signed_assertion, evil), "<samlp:Status>",
               "<samlp:Extensions>" + signed_assertion + "</samlp:Extensions><samlp:Status>"),
      "more than its one");
  // The signature moved to the evil one, the signed one in its Object.
  const std::size_t begin = signed_assertion.find("<ds:Signature ");
  const std::string end = "</ds:Signature>";
  const std::string signature =
      signed_assertion.substr(begin, signed_assertion.find(end) + end.size() - begin);
  const std::string original = Replaced(signed_assertion, signature, "");
  const std::string wrapped = Replaced(
      evil, "<saml:Subject>",
      Replaced(signature, end, "<ds:Object>" + original + "</ds:Object>" + end) + "<saml:Subject>");
  ExpectRefused(Replaced(good_, signed_assertion, wrapped), "more than its one");
  // Two elements of one ID.
  ExpectRefused(Replaced(good_, "ID=\"_response\"", "ID=\"_assertion\""), "one ID");
}

TEST_F(SamlResponseTest, RefusesXmlThatSamlHasNoUseFor) {
  ExpectRefused(Replaced(good_, "user9@corp.test", "user9@corp.test<!---->.evil"), "comment");
  ExpectRefused(Replaced(good_, "<samlp:Status>", "<?x y?><samlp:Status>"), "instruction");
  const std::size_t root = good_.find("<samlp:Response");
  ExpectRefused("<!DOCTYPE x [<!ENTITY e \"v\">]>" + good_.substr(root), "document type");
  ExpectRefused("", "1 byte");
  ExpectRefused("<", "well-formed");
  ExpectRefused(std::string(600 * 1024, ' '), "512 KiB");
  ExpectRefused("<a/>", "not a SAML Response");
}

TEST_F(SamlResponseTest, RefusesWeakerAlgorithmsAndOtherTransforms) {
  ExpectRefused(Replaced(good_, "xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256"),
                "another algorithm");
  ExpectRefused(Replaced(good_, "xmlenc#sha256", "xmldsig#sha1"), "another algorithm");
  ExpectRefused(Replaced(good_, "#enveloped-signature", "#base64"), "other transforms");
  ExpectRefused(Replaced(good_, "URI=\"#_assertion\"", "URI=\"\""), "another element");
}

TEST_F(SamlResponseTest, ReportsTheIdentityProvidersRefusal) {
  const absl::StatusOr<Assertion> denied =
      Verify(Replaced(good_, "urn:oasis:names:tc:SAML:2.0:status:Success",
                      "urn:oasis:names:tc:SAML:2.0:status:Responder"));
  EXPECT_EQ(denied.status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace devicetrust::simulator
