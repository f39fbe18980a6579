#include "libs/admin/app_file.h"

#include <gtest/gtest.h>

namespace devicetrust::admin {
namespace {

constexpr std::string_view kMetadata = R"(
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://sp.example">
  <md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:AssertionConsumerService index="1" Location="https://sp.example/acs"
        Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>)";

TEST(AppFileTest, TakesTheIdFromTheNameOfTheFile) {
  const std::pair<const char*, const char*> table[] = {{"mail.xml", "mail"},
                                                       {"/tmp/My App (2).xml", "my-app-2"},
                                                       {"standard input", "standard-input"},
                                                       {"x/.xml", "app"}};
  for (const auto& [file, id] : table) {
    const auto app = AppFromMetadata(file, kMetadata.substr(1), WallTime());
    ASSERT_TRUE(app.ok()) << app.status();
    EXPECT_EQ(app->id(), id);
    EXPECT_EQ(app->label(), id);
    EXPECT_EQ(app->saml().entity_id(), "https://sp.example");
  }
}

TEST(AppFileTest, TakesTheNameThatTheMetadataShowsPeople) {
  std::string metadata(kMetadata.substr(1));
  metadata.insert(metadata.find("<md:AssertionConsumerService"),
                  "<md:Extensions><mdui:UIInfo xmlns:mdui=\"urn:oasis:names:tc:SAML:metadata:ui\">"
                  "<mdui:DisplayName xml:lang=\"en\">Pay\n roll</mdui:DisplayName>"
                  "</mdui:UIInfo></md:Extensions>");
  const auto app = AppFromMetadata("saml-prod-7.xml", metadata, WallTime());
  ASSERT_TRUE(app.ok()) << app.status();
  EXPECT_EQ(app->id(), "saml-prod-7");
  EXPECT_EQ(app->label(), "Pay roll");
}

TEST(AppFileTest, ErrorsNameTheFile) {
  const auto app = AppFromMetadata("mail.xml", "hello", WallTime());
  EXPECT_TRUE(std::string(app.status().message()).starts_with("mail.xml: ")) << app.status();
}

TEST(AppFileTest, TakesRelyingPartiesOfWsFederation) {
  constexpr std::string_view kParty = R"(
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:example:crm">
  <RoleDescriptor xsi:type="fed:ApplicationServiceType" ServiceDisplayName="Customers"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
      xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706">
    <fed:PassiveRequestorEndpoint><EndpointReference xmlns="http://www.w3.org/2005/08/addressing">
      <Address>https://crm.example/</Address></EndpointReference></fed:PassiveRequestorEndpoint>
  </RoleDescriptor>
</EntityDescriptor>)";
  const auto app = AppFromFederationMetadata("/tmp/My CRM.xml", kParty.substr(1), WallTime());
  ASSERT_TRUE(app.ok()) << app.status();
  EXPECT_EQ(app->id(), "my-crm");
  EXPECT_EQ(app->label(), "Customers");
  EXPECT_EQ(app->ws_fed().realm(), "urn:example:crm");
  EXPECT_EQ(app->ws_fed().reply_urls(0), "https://crm.example/");
  EXPECT_FALSE(AppFromFederationMetadata("crm.xml", kMetadata.substr(1), WallTime()).ok());

  const std::pair<const char*, const char*> realms[] = {
      {"urn:federation:MicrosoftOnline", "microsoftonline"},
      {"https://crm.example/", "crm-example"},
      {"https://crm.example/apps/CRM/", "crm"},
      {"urn:", "urn"}};
  for (const auto& [realm, id] : realms) {
    EXPECT_EQ(AppOfRealm(realm, {"https://x.example/"}).id(), id) << realm;
  }
}

}  // namespace
}  // namespace devicetrust::admin
