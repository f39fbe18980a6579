#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/testing/status.h"
#include "policy-engine/org/learn_more.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;

class SettingsTest : public OrgFixture {
 protected:
  v1::OrgSettings Settings() {
    v1::GetSettingsResponse response;
    EXPECT_TRUE(settings_->GetSettings(nullptr, nullptr, &response).ok());
    return response.settings();
  }
  void UseTrust() {
    ASSERT_TRUE(PutApp(SamlApp("mail")).ok());
    ASSERT_TRUE(SetRules("mail", FiveRules()).ok());
  }
};

TEST_F(SettingsTest, ANewOrgHasTheSettingOffAndTheCapabilityOn) {
  const v1::OrgSettings settings = Settings();
  EXPECT_EQ(settings.org_id(), "acme");
  EXPECT_FALSE(settings.device_trust_enabled());
  EXPECT_TRUE(settings.capability_enabled());
  EXPECT_TRUE(settings.ad_integration_active());
  EXPECT_THAT(settings.ad_domains(), ElementsAre("corp.test"));
  EXPECT_FALSE(settings.has_device_trust_changed_at());
}

TEST_F(SettingsTest, RemembersWhoAndWhenAndLogsIt) {
  clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  const v1::OrgSettings settings = Settings();
  EXPECT_TRUE(settings.device_trust_enabled());
  EXPECT_EQ(settings.device_trust_changed_by(), "admin:ada");
  EXPECT_EQ(settings.device_trust_changed_at().seconds(), UnixSeconds(clock_.Now()));
  const auto events = EventsOf("org.settings.change");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].actor().display_name(), "admin:ada");
  EXPECT_EQ(events[0].targets(0).id(), "device_trust");
  EXPECT_EQ(events[0].targets(0).display_name(), "on");
}

TEST_F(SettingsTest, ACallThatChangesNothingLeavesNoTrace) {
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  const std::string before = Settings().SerializeAsString();
  clock_.Advance(std::chrono::hours(1));
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  EXPECT_EQ(device_trust_.settings().SerializeAsString(), before);
  EXPECT_EQ(Settings().SerializeAsString(), before);
  EXPECT_EQ(EventsOf("org.settings.change").size(), 1u);
}

TEST_F(SettingsTest, AComponentChangesNothing) {
  BecomeComponent("gateway-1", "gateway");
  EXPECT_EQ(ReasonOf(SetDeviceTrust(true)), reason::v1::REASON_CALLER_NOT_ALLOWED);
  EXPECT_FALSE(Settings().device_trust_enabled());
  EXPECT_TRUE(EventsOf("").empty());
}

// ORG-2.
TEST_F(SettingsTest, IsNotSwitchedOffWhileRulesUseItUnlessForced) {
  UseTrust();
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  const grpc::Status refused = SetDeviceTrust(false);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(refused), reason::v1::REASON_SETTING_IN_USE);
  EXPECT_NE(refused.error_message().find("app 'mail', rule 'Windows, trusted'"), std::string::npos);
  EXPECT_TRUE(Settings().device_trust_enabled());

  ASSERT_TRUE(SetDeviceTrust(false, /*force=*/true).ok());
  EXPECT_EQ(device_trust_.warnings_size(), 1);
  EXPECT_TRUE(Settings().disabled_while_in_use());

  // Consistent again as soon as no rule names trust.
  ASSERT_TRUE(SetRules("mail", {}).ok());
  EXPECT_FALSE(Settings().disabled_while_in_use());
}

TEST_F(SettingsTest, AnInactiveRuleIsNoUse) {
  UseTrust();
  std::vector<v1::Rule> rules = FiveRules();
  rules[1].set_active(false);
  ASSERT_TRUE(SetRules("mail", rules).ok());
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  EXPECT_TRUE(SetDeviceTrust(false).ok());
}

TEST_F(SettingsTest, TheCapabilityWarnsOfRulesThatComeInForce) {
  UseTrust();
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  v1::SetCapabilityRequest request;
  v1::SetCapabilityResponse response;
  request.set_enabled(false);
  ASSERT_TRUE(settings_->SetCapability(nullptr, &request, &response).ok());
  EXPECT_FALSE(store_->state()->DeviceTrustEffective());
  EXPECT_EQ(response.warnings_size(), 0);
  request.set_enabled(true);
  ASSERT_TRUE(settings_->SetCapability(nullptr, &request, &response).ok());
  EXPECT_EQ(response.warnings_size(), 1);
  EXPECT_TRUE(store_->state()->DeviceTrustEffective());
}

TEST_F(SettingsTest, KeepsOtherSwitchesApart) {
  v1::SetReadOnlyRequest read_only;
  read_only.set_read_only(true);
  v1::SetReadOnlyResponse frozen;
  ASSERT_TRUE(settings_->SetReadOnly(nullptr, &read_only, &frozen).ok());
  EXPECT_TRUE(frozen.settings().read_only());
  v1::SetAdIntegrationRequest ad;
  v1::SetAdIntegrationResponse integrated;
  ad.set_active(true);
  EXPECT_EQ(ReasonOf(settings_->SetAdIntegration(nullptr, &ad, &integrated)),
            reason::v1::REASON_MALFORMED_REQUEST);
  ad.add_domains("corp.test");
  ad.add_domains("no name");
  EXPECT_EQ(ReasonOf(settings_->SetAdIntegration(nullptr, &ad, &integrated)),
            reason::v1::REASON_MALFORMED_REQUEST);
  ad.set_domains(1, "partner.test");
  ASSERT_TRUE(settings_->SetAdIntegration(nullptr, &ad, &integrated).ok());
  EXPECT_TRUE(integrated.settings().read_only());
  EXPECT_THAT(integrated.settings().ad_domains(), ElementsAre("corp.test", "partner.test"));
  EXPECT_EQ(EventsOf("org.settings.change").size(), 2u);
}

TEST_F(SettingsTest, TheLearnMoreAddressStaysUnlessGiven) {
  v1::SetDeviceTrustRequest request;
  request.set_enabled(true);
  request.set_learn_more_url("https://help.example.com/trust");
  ASSERT_TRUE(settings_->SetDeviceTrust(nullptr, &request, &device_trust_).ok());
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  EXPECT_EQ(Settings().learn_more_url(), "https://help.example.com/trust");
  request.set_learn_more_url("http://help.example.com/");
  EXPECT_EQ(ReasonOf(settings_->SetDeviceTrust(nullptr, &request, &device_trust_)),
            reason::v1::REASON_MALFORMED_REQUEST);
  request.set_learn_more_url("");
  ASSERT_TRUE(settings_->SetDeviceTrust(nullptr, &request, &device_trust_).ok());
  EXPECT_EQ(Settings().learn_more_url(), "");
}

TEST(LearnMoreTest, TakesPublicHttpsAddresses) {
  for (const auto* good : {"https://help.example.com", "https://help.example.com/a/b?c=d#e",
                           "HTTPS://Help.Example.COM/", "https://help.example.com:8443/",
                           "https://xn--bcher-kva.example/", "https://a.b"}) {
    DT_EXPECT_OK(ValidateLearnMoreUrl(good)) << good;
  }
}

TEST(LearnMoreTest, RefusesTheRest) {
  const std::string longest = "https://example.com/" + std::string(kLearnMoreBytesMax, 'a');
  for (const std::string& bad : std::vector<std::string>{"",
                                                         "help.example.com",
                                                         "/help",
                                                         "http://help.example.com",
                                                         "javascript:alert(1)",
                                                         "https://",
                                                         "https:///x",
                                                         "https://localhost/",
                                                         "https://intranet/",
                                                         "https://x.localhost/",
                                                         "https://127.0.0.1/",
                                                         "https://[::1]/",
                                                         "https://2130706433/",
                                                         "https://0x7f.1/",
                                                         "https://127.1/",
                                                         "https://user@example.com/",
                                                         "https://example.com@evil.example/",
                                                         "https://example.com:0/",
                                                         "https://example.com:99999/",
                                                         "https://example.com:x/",
                                                         "https://exa mple.com/",
                                                         "https://example.com/a b",
                                                         "https://example.com/\n",
                                                         "https://example.com\\@x.y/",
                                                         "https://example..com/",
                                                         "https://-a.example/",
                                                         "https://example.com./",
                                                         "https://example.com/\"onload=x",
                                                         longest}) {
    DT_EXPECT_CODE(ValidateLearnMoreUrl(bad), kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace devicetrust::policy
