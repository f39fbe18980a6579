#include "libs/saml/encryption.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/pki/certificate.h"
#include "libs/pki/encryption.h"
#include "libs/saml/response.h"
#include "libs/saml/xml.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::saml {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kXencNs = "http://www.w3.org/2001/04/xmlenc#";
constexpr const char* kMgf1p = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
constexpr const char* kOaep = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
constexpr const char* kRsa15 = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
constexpr const char* kAes256Gcm = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
constexpr const char* kAes128Gcm = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
constexpr const char* kAes256Cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
constexpr const char* kTripleDes = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc";

pki::Certificate SelfSigned(const pki::PrivateKey& key) {
  return pki::SignSelf({.common_name = "x",
                        .serial_hex = "01",
                        .usage = pki::Usage::kCa,
                        .not_before = WallTime{},
                        .not_after = WallTime{} + std::chrono::hours{1}},
                       key)
      .value();
}

class SamlEncryptionTest : public ::testing::Test {
 protected:
  SamlEncryptionTest() {
    provider_.set_entity_id("urn:sp");
    key().set_certificate_der(ToString(SelfSigned(key_).der()));
  }

  org::v1::SamlEncryptionKey& key() { return *provider_.mutable_encryption_key(); }

  std::string Build() {
    Subject subject;
    subject.user.set_principal("zoe@corp.test");
    subject.name_id = {std::string(kNameIdUnspecified), "zoe@corp.test"};
    return BuildResponse({"urn:idp", "urn:sp", "https://sp.example/acs", "_r1", WallTime{}},
                         subject, provider_, signer_, random_)
        .value();
  }

  // What xmlsec1 makes of it: empty when it can't decrypt.
  std::string Decrypt(const std::string& xml) {
    const testing::TempFolder folder;
    DT_EXPECT_OK(WriteFileAtomically(folder / "response.xml", xml));
    DT_EXPECT_OK(WriteFileAtomically(folder / "sp.key", key_.Pem()));
    const std::string command = fmt::format(
        "xmlsec1 --decrypt --privkey-pem {0}/sp.key --output {0}/plain.xml {0}/response.xml"
        " >{0}/log 2>&1",
        folder.path());
    return std::system(command.c_str()) == 0 ? ReadFile(folder / "plain.xml").value() : "";
  }

  const pki::PrivateKey key_ = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  const pki::PrivateKey signing_key_ = pki::PrivateKey::Generate().value();
  const pki::Identity signer_{SelfSigned(signing_key_), signing_key_};
  org::v1::SamlServiceProvider provider_;
  throwaway::SeededRandom random_{9};
};

TEST_F(SamlEncryptionTest, Xmlsec1DecryptsWhatWeEncrypt) {
  const std::vector<std::vector<const char*>> asked = {{},
                                                       {kAes128Gcm},
                                                       {kAes256Cbc},
                                                       {kAes128Gcm, kMgf1p},
                                                       {kMgf1p, kRsa15, kTripleDes, kAes256Gcm}};
  for (const auto& methods : asked) {
    key().clear_methods();
    for (const char* method : methods) key().add_methods(method);
    const std::string xml = Build();
    EXPECT_THAT(xml, Not(HasSubstr("zoe@corp.test")));
    EXPECT_THAT(xml, Not(HasSubstr("<saml:Assertion")));
    EXPECT_THAT(Decrypt(xml), HasSubstr("zoe@corp.test"));
  }
}

// xmlsec1 of Debian 12 does not know it; by field, with the key's own words.
TEST_F(SamlEncryptionTest, OaepWithSha256WhenTheMetadataAsks) {
  key().add_methods(kOaep);
  const XmlDocument document = XmlDocument::Parse(Build()).value();
  const XmlElement data = document.root()
                              .Child(kSamlNs, "EncryptedAssertion")
                              ->value()
                              .Child(kXencNs, "EncryptedData")
                              ->value();
  const XmlElement wrapped =
      data.Child(kDsigNs, "KeyInfo")->value().Child(kXencNs, "EncryptedKey")->value();
  const XmlElement method = wrapped.Child(kXencNs, "EncryptionMethod")->value();
  EXPECT_EQ(method.Attribute("Algorithm"), kOaep);
  EXPECT_EQ(method.Children()[0].Attribute("Algorithm"), "http://www.w3.org/2001/04/xmlenc#sha256");
  EXPECT_EQ(method.Children()[1].Attribute("Algorithm"),
            "http://www.w3.org/2009/xmlenc11#mgf1sha256");
  const auto octets = [](XmlElement of) {
    return Base64Decode(of.Child(kXencNs, "CipherData")->value().Text()).value();
  };
  const Bytes secret =
      pki::DecryptOaep(key_, pki::OaepHash::kSha256, pki::OaepHash::kSha256, octets(wrapped))
          .value();
  EXPECT_THAT(
      ToString(pki::DecryptContent(pki::ContentCipher::kAes256Gcm, secret, octets(data)).value()),
      HasSubstr("zoe@corp.test"));
}

TEST_F(SamlEncryptionTest, ChoosesTheBestThatTheMetadataLists) {
  const auto choose = [&](const std::vector<const char*>& methods) {
    key().clear_methods();
    for (const char* method : methods) key().add_methods(method);
    return ChooseEncryption(key());
  };
  EXPECT_EQ(choose({})->content, kAes256Gcm);
  EXPECT_EQ(choose({})->transport, kMgf1p);
  EXPECT_EQ(choose({kAes256Cbc, kAes128Gcm})->content, kAes128Gcm);
  EXPECT_EQ(choose({kOaep, kMgf1p})->transport, kMgf1p);
  EXPECT_EQ(choose({kOaep})->content, kAes256Gcm);
  EXPECT_TRUE(choose({kAes256Cbc})->needs_signature_outside);
  EXPECT_FALSE(choose({kAes256Gcm})->needs_signature_outside);
  // An oracle is no choice, and neither is a cipher of the nineties.
  DT_EXPECT_CODE(choose({kRsa15}), kFailedPrecondition);
  DT_EXPECT_CODE(choose({kTripleDes, kMgf1p}), kFailedPrecondition);
}

TEST_F(SamlEncryptionTest, WithoutATagTheResponseIsSigned) {
  provider_.set_wants_assertions_signed(true);
  EXPECT_THAT(Build(), Not(HasSubstr("<ds:Signature ")));  // It is inside.
  EXPECT_THAT(Decrypt(Build()), HasSubstr("<ds:Signature "));
  key().add_methods(kAes256Cbc);
  EXPECT_THAT(Build(), HasSubstr("<ds:Signature "));
}

TEST_F(SamlEncryptionTest, AnAppMayForgoIt) {
  provider_.mutable_settings()->set_encryption(org::v1::SAML_ENCRYPTION_NEVER);
  EXPECT_THAT(Build(), HasSubstr("<saml:Assertion"));
}

// Canonical from the start, as everything that is signed.
TEST_F(SamlEncryptionTest, IsInCanonicalForm) {
  const std::string xml = Build();
  const XmlDocument document = XmlDocument::Parse(xml).value();
  EXPECT_EQ(Canonicalize(document, document.root(), std::nullopt).value(), xml);
}

}  // namespace
}  // namespace devicetrust::saml
