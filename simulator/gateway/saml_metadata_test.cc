#include "simulator/gateway/saml_metadata.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/base/encoding.h"
#include "libs/testing/status.h"
#include "simulator/gateway/xml.h"

namespace devicetrust::gateway {
namespace {

using ::testing::HasSubstr;

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

std::string Acs(std::string_view location, std::string_view attributes,
                std::string_view binding = "HTTP-POST") {
  return fmt::format(
      "<md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{}\""
      " Location=\"{}\" {}/>",
      binding, location, attributes);
}

std::string Metadata(std::string_view content, std::string_view attributes = "") {
  return fmt::format(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a comment -->\n"
      "<md:EntityDescriptor xmlns:md=\"{}\" entityID=\"https://sp.example/?a=1&amp;b=2\">"
      "<md:SPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:1.1:protocol {}\""
      " {}>{}</md:SPSSODescriptor></md:EntityDescriptor>",
      kMetadataNs, kSamlpNs, attributes, content);
}

TEST(SamlMetadataTest, ReadsAServiceProvider) {
  std::string folded = Certificate();
  folded.insert(64, "\n   ");
  const org::v1::SamlServiceProvider provider =
      ParseServiceProvider(
          Metadata(fmt::format("<md:KeyDescriptor use=\"encryption\"/>"
                               "<md:KeyDescriptor><ds:KeyInfo xmlns:ds=\"{}\"><ds:X509Data>"
                               "<ds:X509Certificate>\n{}</ds:X509Certificate></ds:X509Data>"
                               "</ds:KeyInfo></md:KeyDescriptor>"
                               "<md:NameIDFormat> urn:x </md:NameIDFormat>",
                               kDsigNs, folded) +
                       Acs("https://sp.example/artifact", "index=\"0\"", "HTTP-Artifact") +
                       Acs("https://sp.example/acs?a&amp;b", "index=\"1\"") +
                       Acs("http://app.localhost:8080/acs", "index=\"2\" isDefault=\"true\""),
                   "AuthnRequestsSigned=\"true\""))
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
      {Metadata(acs, "AuthnRequestsSigned=\"maybe\""), "neither true nor false"},
      {Metadata(fmt::format("<md:KeyDescriptor><ds:KeyInfo xmlns:ds=\"{}\"><ds:X509Data>"
                            "<ds:X509Certificate>eA==</ds:X509Certificate></ds:X509Data>"
                            "</ds:KeyInfo></md:KeyDescriptor>",
                            kDsigNs) +
                acs),
       "not a base64 DER certificate"},
      {"<!DOCTYPE a>" + acs, "document type"},
  };
  for (const auto& [metadata, message] : table) {
    const auto parsed = ParseServiceProvider(metadata);
    DT_EXPECT_CODE(parsed, kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(message));
  }
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
}  // namespace devicetrust::gateway
