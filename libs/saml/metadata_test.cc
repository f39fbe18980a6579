#include "libs/saml/metadata.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "libs/base/encoding.h"
#include "libs/base/files.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/testing/vectors.h"

namespace devicetrust::saml {
namespace {

using ::testing::HasSubstr;

constexpr WallTime kReadAt{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

absl::StatusOr<org::v1::SamlServiceProvider> Parse(std::string_view metadata) {
  auto read = ParseServiceProvider(metadata, kReadAt);
  if (!read.ok()) return read.status();
  return std::move(read->saml);
}

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
      Parse(Metadata("<md:KeyDescriptor use=\"encryption\"/>" + KeyDescriptor("\n" + folded) +
                         "<md:NameIDFormat> urn:x </md:NameIDFormat>" +
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

TEST(SamlMetadataTest, ReadsWhomToEncryptTo) {
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  const std::string certificate = Certificate();
  const auto key = [&](std::string_view attributes, std::string_view methods) {
    std::string text = KeyDescriptor(certificate);
    text.replace(0, 18, fmt::format("<md:KeyDescriptor {}>", attributes));
    return text.insert(text.find("</md:KeyDescriptor>"), methods);
  };
  const auto provider = Parse(Metadata(key("use=\"signing\"", "") +
                                       key("use=\"encryption\"",
                                           "<md:EncryptionMethod Algorithm=\" urn:a \"/>"
                                           "<md:EncryptionMethod Algorithm=\"urn:b\"/>") +
                                       key("use=\"encryption\"", "") + acs));
  DT_ASSERT_OK(provider);
  EXPECT_EQ(Base64Encode(AsBytes(provider->encryption_key().certificate_der())), certificate);
  ASSERT_EQ(provider->encryption_key().methods_size(), 2);
  EXPECT_EQ(provider->encryption_key().methods(0), "urn:a");
  EXPECT_EQ(provider->signing_certificates_der_size(), 1);
  EXPECT_TRUE(Parse(Metadata(key("", "") + acs))->has_encryption_key());
  EXPECT_FALSE(Parse(Metadata(key("use=\"signing\"", "") + acs))->has_encryption_key());
}

TEST(SamlMetadataTest, ReadsWhereToSignOut) {
  const auto service = [](std::string_view binding, std::string_view location,
                          std::string_view more = "") {
    return fmt::format(
        "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{}\""
        " Location=\"{}\" {}/>",
        binding, location, more);
  };
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  const auto provider =
      Parse(Metadata(service("SOAP", "https://sp.example/soap") +
                         service("HTTP-POST", "https://sp.example/slo",
                                 "ResponseLocation=\"https://sp.example/slo/done\"") +
                         service("HTTP-Redirect", "https://sp.example/slo") + acs,
                     "WantAssertionsSigned=\"true\""));
  DT_ASSERT_OK(provider);
  EXPECT_TRUE(provider->wants_assertions_signed());
  ASSERT_EQ(provider->single_logout_size(), 2);
  EXPECT_EQ(provider->single_logout(0).binding(), org::v1::SAML_BINDING_POST);
  EXPECT_EQ(provider->single_logout(0).response_url(), "https://sp.example/slo/done");
  EXPECT_EQ(provider->single_logout(1).binding(), org::v1::SAML_BINDING_REDIRECT);
  DT_EXPECT_CODE(Parse(Metadata(service("HTTP-POST", "http://sp.example/slo") + acs)),
                 kInvalidArgument);
  DT_EXPECT_CODE(Parse(Metadata(service("HTTP-POST", "https://sp.example/slo",
                                        "ResponseLocation=\"javascript:alert(1)\"") +
                                acs)),
                 kInvalidArgument);
}

TEST(SamlMetadataTest, ReadsBothWordsOfABoolean) {
  const std::string content = KeyDescriptor(Certificate()) +
                              Acs("https://sp.example/1", "index=\"1\" isDefault=\"0\"") +
                              Acs("https://sp.example/2", "index=\"2\" isDefault=\"1\"");
  const auto provider = Parse(Metadata(content, "AuthnRequestsSigned=\"1\"")).value();
  EXPECT_TRUE(provider.requests_signed());
  EXPECT_TRUE(provider.acs(1).is_default());
  EXPECT_FALSE(Parse(Metadata(content, "AuthnRequestsSigned=\"0\""))->requests_signed());
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
    const auto provider = Parse(Metadata(content)).value();
    for (int i = 0; i < provider.acs_size(); ++i) {
      EXPECT_EQ(provider.acs(i).is_default(), i == chosen) << content;
    }
  }
}

TEST(SamlMetadataTest, ReadsTheRoleThatSpeaksSaml2) {
  const std::string old = Role(Acs("https://sp.example/old", "index=\"1\""), "",
                               "urn:oasis:names:tc:SAML:1.1:protocol");
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  EXPECT_EQ(Parse(Entity(old + Role(acs)))->acs(0).url(), "https://sp.example/acs");
  DT_EXPECT_CODE(Parse(Entity(old)), kInvalidArgument);
}

TEST(SamlMetadataTest, IsValidUntilItSays) {
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  DT_EXPECT_OK(Parse(Entity(Role(acs), "validUntil=\"2026-01-01T00:00:01Z\"")));
  for (const std::string& old : {Entity(Role(acs), "validUntil=\"2026-01-01T00:00:00Z\""),
                                 Metadata(acs, "validUntil=\"2025-12-31T00:00:00Z\"")}) {
    const auto parsed = Parse(old);
    DT_EXPECT_CODE(parsed, kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("was valid until 202"));
  }
}

std::string Repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
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
      {Metadata(Repeated(KeyDescriptor(Certificate()), 5) + acs), "more than 4 signing keys"},
      {"<!DOCTYPE a>" + acs, "document type"},
  };
  for (const auto& [metadata, message] : table) {
    const auto parsed = Parse(metadata);
    DT_EXPECT_CODE(parsed, kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(message));
  }
}

// XML Schema, part 2, section 4.3.6; SAML metadata, section 2.4.1.1.
TEST(SamlMetadataTest, PassesOverBlanksAndOthersKeys) {
  const auto parsed =
      Parse(Metadata(KeyDescriptor(P521Certificate()) +
                         Acs("https://sp.example/acs", "index=\" 5 \" isDefault=\" 1 \""),
                     "validUntil=\" 2100-01-01T00:00:00Z \" AuthnRequestsSigned=\" false \""));
  DT_ASSERT_OK(parsed);
  EXPECT_EQ(parsed->acs(0).index(), 5);
  EXPECT_TRUE(parsed->acs(0).is_default());
  EXPECT_EQ(parsed->signing_certificates_der_size(), 0);
}

// XML 1.0, section 4.3.3: every processor reads UTF-16. By iconv, with a byte order mark and
// without.
TEST(SamlMetadataTest, ReadsUtf16) {
  std::string text = Metadata(Acs("https://sp.example/acs", "index=\"1\""));
  text = text.substr(text.find("<?xml"));
  text.replace(text.find("<?xml version=\"1.0\"?>"), 21,
               "<?xml version=\"1.0\" encoding=\"UTF-16\"?>");
  text.replace(text.find("a comment"), 9, "Zo\xc3\xab \xf0\x9f\x8e\xab");
  const testing::TempFolder folder;
  DT_ASSERT_OK(WriteFileAtomically(folder / "utf8.xml", text));
  for (const char* encoding : {"UTF-16", "UTF-16LE", "UTF-16BE"}) {
    const std::string command =
        fmt::format("iconv -f UTF-8 -t {1} {0}/utf8.xml > {0}/utf16.xml", folder.path(), encoding);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const std::string utf16 = ReadFile(folder / "utf16.xml").value();
    const auto provider = Parse(utf16);
    DT_ASSERT_OK(provider) << encoding;
    EXPECT_EQ(provider->acs(0).url(), "https://sp.example/acs");
    DT_EXPECT_CODE(Parse(utf16.substr(0, utf16.size() - 1)), kInvalidArgument);
  }
}

// What looks like a document type in a comment or in text is none.
TEST(SamlMetadataTest, JudgesWhatItHasParsed) {
  const std::string acs = Acs("https://sp.example/acs", "index=\"1\"");
  DT_EXPECT_OK(Parse(Metadata("<!-- <!DOCTYPE a [<!ENTITY e 'x'>]> -->" + acs)));
  DT_EXPECT_OK(Parse(Metadata(acs + "<md:AttributeConsumingService index=\"1\"><md:ServiceName "
                                    "xml:lang=\"en\"><![CDATA[<!DOCTYPE a>]]></md:ServiceName>"
                                    "</md:AttributeConsumingService>")));
}

TEST(SamlMetadataTest, ReadsTheNameThatPeopleSee) {
  const auto name_of = [](std::string_view names) {
    const std::string extensions = fmt::format(
        "<md:Extensions><mdui:UIInfo xmlns:mdui=\"urn:oasis:names:tc:SAML:metadata:ui\">{}"
        "</mdui:UIInfo></md:Extensions>",
        names);
    return ParseServiceProvider(Metadata(extensions + Acs("https://sp.example/acs", "index=\"1\"")),
                                kReadAt)
        .value()
        .display_name;
  };
  const auto name = [](std::string_view language, std::string_view text) {
    return fmt::format("<mdui:DisplayName xml:lang=\"{}\">{}</mdui:DisplayName>", language, text);
  };
  EXPECT_EQ(name_of(""), "");
  EXPECT_EQ(name_of(name("de", "Lohn")), "Lohn");
  EXPECT_EQ(name_of(name("de", "Lohn") + name("fr", "Paie")), "Lohn");
  EXPECT_EQ(name_of(name("de", "Lohn") + name("en-GB", " Pay\n  roll ") + name("en", "x")),
            "Pay roll");
  EXPECT_EQ(name_of(name("en", std::string(150, 'x') + Repeated("\xc3\xa9", 40))).size(), 200U);
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
  const std::string text = BuildIdpMetadata({"https://org.localhost/saml/metadata",
                                             "https://org.localhost/sso/saml?a&b",
                                             "https://org.localhost/signout/saml",
                                             {certificate, certificate},
                                             kReadAt + std::chrono::hours{5}});
  const XmlDocument document = XmlDocument::Parse(text).value();
  const XmlElement idp = document.root().Child(kMetadataNs, "IDPSSODescriptor")->value();
  EXPECT_EQ(document.root().Attribute("validUntil"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(document.root().Attribute("cacheDuration"), "PT24H");
  EXPECT_EQ(idp.Children(kMetadataNs, "KeyDescriptor").size(), 2U);
  EXPECT_EQ(idp.Children(kMetadataNs, "SingleLogoutService")[1].Attribute("Location"),
            "https://org.localhost/signout/saml");
  EXPECT_EQ(idp.Children(kMetadataNs, "NameIDFormat").size(), 4U);
  EXPECT_EQ(idp.Children(kMetadataNs, "SingleSignOnService")[1].Attribute("Location"),
            "https://org.localhost/sso/saml?a&b");
  // SAML v2.0 Metadata Profile for Algorithm Support, section 2.3: in the order of preference.
  const XmlElement extensions = idp.Children().front();
  ASSERT_TRUE(extensions.Is(kMetadataNs, "Extensions"));
  constexpr std::string_view kAlgorithms = "urn:oasis:names:tc:SAML:metadata:algsupport";
  EXPECT_EQ(extensions.Children(kAlgorithms, "DigestMethod")[0].Attribute("Algorithm"),
            "http://www.w3.org/2001/04/xmlenc#sha256");
  EXPECT_EQ(extensions.Children(kAlgorithms, "SigningMethod")[0].Attribute("Algorithm"),
            kRsaSha256);
  EXPECT_EQ(extensions.Children().size(), 9U);
}

}  // namespace
}  // namespace devicetrust::saml
