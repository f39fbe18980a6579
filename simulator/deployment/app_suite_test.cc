#include "simulator/deployment/app_suite.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "libs/base/encoding.h"
#include "libs/throwaway/seeded_random.h"
#include "libs/throwaway/throwaway_pki.h"

namespace devicetrust::simulator {
namespace {

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

std::string Metadata() {
  const std::string certificate = Base64Encode(throwaway::NewCa("sp", kNow).certificate.der());
  return fmt::format(R"(<?xml version="1.0"?>
<!-- made by hand -->
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
    entityID="https://app.example.com/?tenant=1&amp;kind=saml">
  <md:SPSSODescriptor AuthnRequestsSigned="true"
      protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
      <ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>
    </ds:KeyInfo></md:KeyDescriptor>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>
    <md:AssertionConsumerService index="3" Location="https://app.example.com/artifact"
        Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"/>
    <md:AssertionConsumerService index="7" isDefault="true" Location="https://app.example.com/acs"
        Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>)",
                     certificate);
}

TEST(AppSuiteTest, ReadsAForeignAppsMetadata) {
  const auto app = RegistrationFromMetadata("/home/ada/My App.xml", Metadata(), kNow);
  ASSERT_TRUE(app.ok()) << app.status();
  EXPECT_EQ(app->id, "my-app");
  EXPECT_EQ(app->saml.entity_id(), "https://app.example.com/?tenant=1&kind=saml");
  EXPECT_TRUE(app->saml.requests_signed());
  EXPECT_EQ(app->saml.signing_certificates_der_size(), 1);
  ASSERT_EQ(app->saml.acs_size(), 1);
  EXPECT_EQ(app->saml.acs(0).index(), 7);
  EXPECT_EQ(app->saml.acs(0).url(), "https://app.example.com/acs");
  EXPECT_TRUE(app->saml.acs(0).is_default());
  EXPECT_EQ(app->saml.name_id_formats_size(), 1);
  ASSERT_EQ(app->rules.size(), 2u);
  EXPECT_EQ(app->rules[0].trust(), org::v1::TRUST_CONDITION_TRUSTED);
}

TEST(AppSuiteTest, NamesTheFileThatIsNoMetadata) {
  for (const char* text : {"", "<a/>", "not xml", R"(<!DOCTYPE a [<!ENTITY b "c">]><a/>)"}) {
    const absl::Status status = RegistrationFromMetadata("my.xml", text, kNow).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.ToString().find("my.xml"), std::string::npos) << status;
  }
}

TEST(AppSuiteTest, RegistersItsAppsUnderTheirAddresses) {
  const SystemClock clock;
  throwaway::SeededRandom random(7);
  const AppSuite suite("https://apps.localhost:1", clock, random);
  const auto apps = suite.Registrations(FiveRuleExample());
  ASSERT_EQ(apps.size(), 4u);
  EXPECT_EQ(apps[0].id, "mail");
  EXPECT_EQ(apps[0].saml.acs(0).url(), "https://apps.localhost:1/mail/acs");
  EXPECT_EQ(apps[0].rules.size(), 4u);
}

}  // namespace
}  // namespace devicetrust::simulator
