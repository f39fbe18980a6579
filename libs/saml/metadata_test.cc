#include "libs/saml/metadata.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/base/encoding.h"
#include "libs/saml/xml.h"
#include "libs/testing/status.h"
#include "libs/testing/vectors.h"

namespace devicetrust::saml {
namespace {

using ::testing::HasSubstr;

constexpr WallTime kReadAt{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

std::string Certificate() {
  const pki::PrivateKey key = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  return Base64Encode(pki::SignSelf({.common_name = "sp",
                                     .serial_hex = "01",
                                     .usage = pki::Usage::kCa,
                                     .not_before = WallTime{},
                                     .not_after = WallTime{} + std::chrono::hours{1}},
                                    key)
                          .value()
                          .der());
}

std::string P521Certificate() {
  return Base64Encode(
      pki::Certificate::FromPem(testing::ReadVector("openssl/p521.pem")).value().der());
}

std::string Acs(std::string_view location, std::string_view attributes,
                std::string_view binding = "HTTP-POST") {
  return fmt::format(
      "<md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{}\""
      " Location=\"{}\" {}/>",
      binding, location, attributes);
}

std::string KeyDescriptor(std::string_view certificate) {
  return fmt::format(
      "<md:KeyDescriptor><ds:KeyInfo xmlns:ds=\"{}\"><ds:X509Data><ds:X509Certificate>{}"
      "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
      kDsigNs, certificate);
}

std::string Role(std::string_view content, std::string_view attributes = "",
                 std::string_view protocols =
                     "urn:oasis:names:tc:SAML:1.1:protocol "
                     "urn:oasis:names:tc:SAML:2.0:protocol") {
  return fmt::format(
      "<md:SPSSODescriptor protocolSupportEnumeration=\"{}\" {}>{}</md:SPSSODescriptor>", protocols,
      attributes, content);
}

std::string Entity(std::string_view roles, std::string_view attributes = "") {
  return fmt::format(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a comment -->\n"
      "<md:EntityDescriptor xmlns:md=\"{}\" entityID=\"https://sp.example/?a=1&amp;b=2\" {}>"
      "{}</md:EntityDescriptor>",
      kMetadataNs, attributes, roles);
}

std::string Metadata(std::string_view content, std::string_view attributes = "") {
  return Entity(Role(content, attributes));
}

TEST(SamlMetadataTest, ReadsAServiceProvider) {
  std::string folded = Certificate();
  folded.insert(64, "\n   ");
  const org::v1::SamlServiceProvider provider =
      ParseServiceProvider(
          Metadata("<md:KeyDescriptor use=\"encryption\"/>" + KeyDescriptor("\n" + folded) +
                       "<md:NameIDFormat> urn:x </md:NameIDFormat>" +
                       Acs("https://sp.example/artifact", "index=\"0\"", "HTTP-Artifact") +
                       Acs("https://sp.example/acs?a&amp;b", "index=\"1\"") +
                       Acs("http://app.localhost:8080/acs", "index=\"2\" isDefault=\"true\""),
                   "AuthnRequestsSigned=\"true\""),
          kReadAt)
          .value();
  EXPECT_EQ(provider.entity_id(), "https://sp.example/?a=1&b=2");
  ASSERT_EQ(provider.acs_size(), 2);
  EXPECT_EQ(provider.acs(0).url(), "https://sp.example/acs?a&b");
  EXPECT_EQ(provider.acs(1).index(), 2);
  EXPECT_TRUE(provider.acs(1).is_default());
  EXPECT_EQ(provider.signing_certificates_der_size(), 1);
  EXPECT_TRUE(provider.requests_signed());
  EXPECT_EQ(provider.name_id_formats(0), "urn:x");
}

TEST(SamlMetadataTest, ReadsBothWordsOfABoolean) {
  const std::string content = KeyDescriptor(Certificate()) +
                              Acs("https://sp.example/1", "index=\"1\" isDefault=\"0\"") +
                              Acs("https://sp.example/2", "index=\"2\" isDefault=\"1\"");
  const auto provider =
      ParseServiceProvider(Metadata(content, "AuthnRequestsSigned=\"1\""), kReadAt).value();
  EXPECT_TRUE(provider.requests_signed());
  EXPECT_TRUE(provider.acs(1).is_default());
  EXPECT_FALSE(ParseServiceProvider(Metadata(content, "AuthnRequestsSigned=\"0\""), kReadAt)
                   ->requests_signed());
}

TEST(SamlMetadataTest, MarksTheDefault) {
  // What each service says of itself; which is the default.
  const std::pair<std::vector<std::string>, int> table[] = {
      {{"", "", ""}, 0},
      {{"", "isDefault=\"true\"", "isDefault=\"true\""}, 1},
      {{"isDefault=\"false\"", "", ""}, 1},
      {{"isDefault=\"false\"", "", "isDefault=\"true\""}, 2},
      {{"isDefault=\"false\"", "isDefault=\"false\""}, 0},
  };
  for (const auto& [said, chosen] : table) {
    std::string content;
    for (std::size_t i = 0; i < said.size(); ++i) {
      content +=
          Acs(fmt::format("https://sp.example/{}", i), fmt::format("index=\"{}\" {}", i, said[i]));
    }
    const auto provider = ParseServiceProvider(Metadata(content), kReadAt).value();
    for (int i = 0; i < provider.acs_size(); ++i) {
      EXPECT_EQ(provider.acs(i).is_default(), i == chosen) << content;
    }
  }
}

TEST(SamlMetadataTest, ReadsTheRoleThatSpeaksSaml2) {
  const std::string old = Role(Acs("https://sp.example/old", "index=\"1\""), "",
                               "urn:oasis:names:tc:SAML:1.1:protocol");
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  EXPECT_EQ(ParseServiceProvider(Entity(old + Role(acs)), kReadAt)->acs(0).url(),
            "https://sp.example/acs");
  DT_EXPECT_CODE(ParseServiceProvider(Entity(old), kReadAt), kInvalidArgument);
}

TEST(SamlMetadataTest, IsValidUntilItSays) {
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  DT_EXPECT_OK(
      ParseServiceProvider(Entity(Role(acs), "validUntil=\"2026-01-01T00:00:01Z\""), kReadAt));
  for (const std::string& old : {Entity(Role(acs), "validUntil=\"2026-01-01T00:00:00Z\""),
                                 Metadata(acs, "validUntil=\"2025-12-31T00:00:00Z\"")}) {
    const auto parsed = ParseServiceProvider(old, kReadAt);
    DT_EXPECT_CODE(parsed, kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("was valid until 202"));
  }
}

TEST(SamlMetadataTest, SaysWhatIsMissing) {
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  const std::pair<std::string, const char*> table[] = {
      {"hello", "not well-formed"},
      {"<a/>", "md:EntityDescriptor"},
      {Metadata(""), "no AssertionConsumerService"},
      {Metadata(acs + acs), "an index of its own"},
      {Metadata(Acs("http://sp.example/acs", "index=\"1\"")), "https URL"},
      {Metadata(Acs("javascript:alert(1)", "index=\"1\"")), "https URL"},
      {Metadata(acs, "AuthnRequestsSigned=\"true\""), "without a KeyDescriptor"},
      {Metadata(acs, "AuthnRequestsSigned=\"maybe\""),
       "AuthnRequestsSigned is neither true nor false"},
      {Metadata(Acs("https://sp.example/acs", "index=\"1\" isDefault=\"yes\"")),
       "isDefault is neither true nor false"},
      {Metadata(Acs("https://sp.example/acs", "index=\"x\"")), "an index of its own"},
      {Metadata(KeyDescriptor("eA==") + acs), "not a base64 DER certificate"},
      {Metadata(KeyDescriptor(P521Certificate()) + acs, "AuthnRequestsSigned=\"1\""),
       "RSA of 2048 to 4096 bits"},
      {Metadata(acs, "validUntil=\"tomorrow\""), "validUntil must be like"},
      {"<!DOCTYPE a>" + acs, "document type"},
  };
  for (const auto& [metadata, message] : table) {
    const auto parsed = ParseServiceProvider(metadata, kReadAt);
    DT_EXPECT_CODE(parsed, kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(message));
  }
}

// XML Schema, part 2, section 4.3.6; SAML metadata, section 2.4.1.1.
TEST(SamlMetadataTest, PassesOverBlanksAndOthersKeys) {
  const auto parsed = ParseServiceProvider(
      Metadata(KeyDescriptor(P521Certificate()) +
                   Acs("https://sp.example/acs", "index=\" 5 \" isDefault=\" 1 \""),
               "validUntil=\" 2100-01-01T00:00:00Z \" AuthnRequestsSigned=\" false \""),
      kReadAt);
  DT_ASSERT_OK(parsed);
  EXPECT_EQ(parsed->acs(0).index(), 5);
  EXPECT_TRUE(parsed->acs(0).is_default());
  EXPECT_EQ(parsed->signing_certificates_der_size(), 0);
}

TEST(SamlMetadataTest, DescribesTheIdentityProvider) {
  const pki::PrivateKey key = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
  const pki::Certificate certificate =
      pki::SignSelf({.common_name = "org",
                     .serial_hex = "01",
                     .usage = pki::Usage::kCa,
                     .not_before = WallTime{},
                     .not_after = WallTime{} + std::chrono::hours{1}},
                    key)
          .value();
  const std::string text = BuildIdpMetadata(
      {"https://org.localhost/saml/metadata", "https://org.localhost/sso/saml?a&b", {certificate}});
  const XmlDocument document = XmlDocument::Parse(text).value();
  const XmlElement idp = document.root().Child(kMetadataNs, "IDPSSODescriptor")->value();
  EXPECT_EQ(idp.Children(kMetadataNs, "KeyDescriptor").size(), 1U);
  EXPECT_EQ(idp.Children(kMetadataNs, "SingleSignOnService")[1].Attribute("Location"),
            "https://org.localhost/sso/saml?a&b");
}

}  // namespace
}  // namespace devicetrust::saml
