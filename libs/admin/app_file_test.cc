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

}  // namespace
}  // namespace devicetrust::admin
