#include "libs/wsfed/metadata.h"

#include "libs/saml/xml_signature.h"
#include "libs/testing/mutation.h"
#include "libs/wsfed/names.h"
#include "libs/wsfed/wsfed_fixture.h"

namespace devicetrust::wsfed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As FedUtil of Windows Identity Foundation writes it.
constexpr std::string_view kPartyMetadata =
    R"(<?xml version="1.0" encoding="utf-8"?>
<EntityDescriptor ID="_1" entityID="https://mail.example/" xmlns="urn:oasis:names:tc:SAML:2.0:metadata">
  <RoleDescriptor xsi:type="fed:ApplicationServiceType" ServiceDisplayName="Mail &amp; more"
      protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
      xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">
    <fed:TargetScopes><EndpointReference xmlns="http://www.w3.org/2005/08/addressing">
      <Address>https://mail.example/realm</Address></EndpointReference></fed:TargetScopes>
    <fed:ApplicationServiceEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing">
      <Address>https://mail.example/</Address></EndpointReference></fed:ApplicationServiceEndpoint>
    <fed:PassiveRequestorEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing">
      <Address>https://mail.example/wsfed</Address></EndpointReference></fed:PassiveRequestorEndpoint>
    <fed:PassiveRequestorEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing">
      <Address>http://localhost:8080/</Address></EndpointReference></fed:PassiveRequestorEndpoint>
  </RoleDescriptor>
</EntityDescriptor>)";

std::string With(std::string from, std::string to) {
  std::string text(kPartyMetadata);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class WsFedMetadataTest : public WsFedTest {
 protected:
  ServiceDescription Service() const {
    return {"https://org.localhost/FederationMetadata/2007-06/FederationMetadata.xml",
            "https://org.localhost/sso/wsfed",
            "https://org.localhost/sso/wsfed/active",
            "Acme & <sons>",
            {signer_.certificate}};
  }
};

TEST_F(WsFedMetadataTest, ReadsARelyingParty) {
  const auto read = ParseRelyingParty(kPartyMetadata, kIssuedAt);
  DT_ASSERT_OK(read);
  EXPECT_EQ(read->party.realm(), "https://mail.example/realm");
  EXPECT_THAT(read->party.reply_urls(),
              ElementsAre("https://mail.example/wsfed", "http://localhost:8080/"));
  EXPECT_EQ(read->display_name, "Mail & more");
  const auto without_scope = ParseRelyingParty(
      With("<fed:TargetScopes>", "<fed:X>")
          .replace(With("<fed:TargetScopes>", "<fed:X>").find("</fed:TargetScopes>"),
                   std::string_view("</fed:TargetScopes>").size(), "</fed:X>"),
      kIssuedAt);
  DT_ASSERT_OK(without_scope);
  EXPECT_EQ(without_scope->party.realm(), "https://mail.example/");
}

TEST_F(WsFedMetadataTest, SaysWhatIsMissing) {
  const std::pair<std::string, const char*> table[] = {
      {"<x/>", "EntityDescriptor"},
      {"junk", "relying party metadata"},
      {With("ApplicationServiceType", "SecurityTokenServiceType"), "ApplicationServiceType"},
      {With("https://mail.example/wsfed", "http://mail.example/wsfed"), "https URL"},
      {With("https://mail.example/wsfed", "javascript:x"), "https URL"},
      {With("<Address>https://mail.example/wsfed</Address>", ""), "no Address"},
      {With("ID=\"_1\"", "validUntil=\"2025-01-01T00:00:00Z\""), "valid until"},
      {With("ID=\"_1\"", "validUntil=\"tomorrow\""), "validUntil"},
      {With("<EntityDescriptor", "<!DOCTYPE x><EntityDescriptor"), "document type"},
  };
  for (const auto& [text, why] : table) {
    const auto read = ParseRelyingParty(text, kIssuedAt);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(why)) << text;
  }
}

TEST_F(WsFedMetadataTest, OursIsSignedAndXmlsec1AndOurOwnVerifierAgree) {
  const std::string xml = BuildFederationMetadata(Service(), signer_).value();
  EXPECT_EQ(XmlSec(xml, "ID", std::string(saml::kMetadataNs) + ":EntityDescriptor"), 0) << xml;
  const auto document = saml::XmlDocument::Parse(xml, {.elements_max = 200});
  DT_ASSERT_OK(document);
  DT_EXPECT_OK(saml::VerifyRootSignature(*document, {signer_.certificate}));
  EXPECT_THAT(xml, HasSubstr("xsi:type=\"fed:SecurityTokenServiceType\""));
  EXPECT_THAT(xml, HasSubstr("ServiceDisplayName=\"Acme &amp; &lt;sons>\""));
  std::string changed = xml;
  changed.replace(changed.find("/sso/wsfed<"), 10, "/sso/other");
  EXPECT_NE(XmlSec(changed, "ID", std::string(saml::kMetadataNs) + ":EntityDescriptor"), 0);
}

TEST_F(WsFedMetadataTest, TakesAnyBytes) {
  const Bytes octets(kPartyMetadata.begin(), kPartyMetadata.end());
  testing::ForEachMutation(octets, 5'000, 5, [](const Bytes& bad) {
    const auto read = ParseRelyingParty(ToString(bad), kIssuedAt);
    if (read.ok()) {
      ASSERT_FALSE(read->party.realm().empty() || read->party.reply_urls().empty());
    }
  });
}

}  // namespace
}  // namespace devicetrust::wsfed
