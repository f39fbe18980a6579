#include <gmock/gmock.h>

#include "libs/testing/status.h"
#include "policy-engine/org/learn_more.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;

class SettingsTest : public OrgFixture {
 protected:
  v1::OrgSettings Settings() { return settings_->Get().settings(); }
  v1::SetCapabilityResponse SetCapability(bool enabled) {
    v1::SetCapabilityRequest request;
    request.set_enabled(enabled);
    const auto set = settings_->SetCapability(admin_, request);
    DT_EXPECT_OK(set);
    return set.ok() ? *set : v1::SetCapabilityResponse();
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
  ASSERT_EQ(events[0].targets_size(), 1);
  EXPECT_EQ(events[0].targets(0).id(), "device_trust");
  EXPECT_EQ(events[0].targets(0).display_name(), "Device Trust from off to on");
}

TEST_F(SettingsTest, TheLogSaysWhatEachSettingWasAndIs) {
  UseTrust();
  v1::SetDeviceTrustRequest trust;
  trust.set_enabled(true);
  trust.set_learn_more_url("https://help.example.com/trust");
  ASSERT_TRUE(SetDeviceTrust(trust).ok());
  trust.set_learn_more_url("");
  ASSERT_TRUE(SetDeviceTrust(trust).ok());
  ASSERT_TRUE(SetDeviceTrust(false, /*force=*/true).ok());
  SetCapability(false);
  v1::SetReadOnlyRequest read_only;
  read_only.set_read_only(true);
  ASSERT_TRUE(settings_->SetReadOnly(admin_, read_only).ok());
  v1::SetAdIntegrationRequest ad;
  ad.add_domains("corp.test");
  ad.add_domains("partner.test");
  ASSERT_TRUE(settings_->SetAdIntegration(admin_, ad).ok());
  std::vector<std::string> told;
  for (const v1::Event& event : EventsOf("org.settings.change")) {
    for (const v1::Target& target : event.targets()) told.push_back(target.display_name());
  }
  EXPECT_THAT(told, ::testing::UnorderedElementsAre(
                        "Device Trust from off to on",
                        "Learn more from none to https://help.example.com/trust",
                        "Learn more from https://help.example.com/trust to none",
                        "Device Trust from on to off, by force", "capability from on to off",
                        "read-only from off to on", "AD integration from on to off",
                        "AD domains from corp.test to corp.test, partner.test"));
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

// ORG-2.
TEST_F(SettingsTest, IsNotSwitchedOffWhileRulesUseItUnlessForced) {
  UseTrust();
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  const absl::Status refused = SetDeviceTrust(false);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused), reason::v1::REASON_SETTING_IN_USE);
  EXPECT_THAT(std::string(refused.message()),
              ::testing::HasSubstr("app 'mail', rule 'Windows, trusted'"));
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
  EXPECT_EQ(SetCapability(false).warnings_size(), 0);
  EXPECT_FALSE(store_->state()->DeviceTrustEffective());
  EXPECT_EQ(SetCapability(true).warnings_size(), 1);
  EXPECT_TRUE(store_->state()->DeviceTrustEffective());
}

TEST_F(SettingsTest, KeepsOtherSwitchesApart) {
  v1::SetReadOnlyRequest read_only;
  read_only.set_read_only(true);
  const auto frozen = settings_->SetReadOnly(admin_, read_only);
  DT_ASSERT_OK(frozen);
  EXPECT_TRUE(frozen->settings().read_only());
  v1::SetAdIntegrationRequest ad;
  ad.set_active(true);
  ad.add_domains("corp.test");
  ad.add_domains("no name");
  EXPECT_EQ(ReasonOf(settings_->SetAdIntegration(admin_, ad).status()),
            reason::v1::REASON_MALFORMED_REQUEST);
  ad.set_domains(1, "partner.test");
  const auto integrated = settings_->SetAdIntegration(admin_, ad);
  DT_ASSERT_OK(integrated);
  EXPECT_TRUE(integrated->settings().read_only());
  EXPECT_THAT(integrated->settings().ad_domains(), ElementsAre("corp.test", "partner.test"));
  EXPECT_EQ(EventsOf("org.settings.change").size(), 2u);
}

TEST_F(SettingsTest, AnActiveIntegrationHasDomainsGivenNowOrBefore) {
  v1::SetAdIntegrationRequest ad;
  DT_ASSERT_OK(settings_->SetAdIntegration(admin_, ad));
  EXPECT_FALSE(Settings().ad_integration_active());
  ad.set_active(true);
  DT_ASSERT_OK(settings_->SetAdIntegration(admin_, ad));
  EXPECT_TRUE(Settings().ad_integration_active());
  EXPECT_THAT(Settings().ad_domains(), ElementsAre("corp.test"));

  const auto database = db::Database::Open("sqlite::memory:", OrgMigrations()).value();
  const auto store = OrgStore::Create(*database, *events_, {"acme", {}, true}).value();
  EXPECT_EQ(ReasonOf(SettingsAdmin(*store, clock_).SetAdIntegration(admin_, ad).status()),
            reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(SettingsTest, TheLearnMoreAddressStaysUnlessGiven) {
  v1::SetDeviceTrustRequest request;
  request.set_enabled(true);
  request.set_learn_more_url("https://help.example.com/trust");
  ASSERT_TRUE(SetDeviceTrust(request).ok());
  ASSERT_TRUE(SetDeviceTrust(true).ok());
  EXPECT_EQ(Settings().learn_more_url(), "https://help.example.com/trust");
  request.set_learn_more_url("http://help.example.com/");
  EXPECT_EQ(ReasonOf(SetDeviceTrust(request)), reason::v1::REASON_MALFORMED_REQUEST);
  request.set_learn_more_url("");
  ASSERT_TRUE(SetDeviceTrust(request).ok());
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

TEST_F(SettingsTest, AChangeOfAnOlderVersionUndoesNothing) {
  const std::int64_t read = settings_->Get().version();
  v1::SetReadOnlyRequest first;
  first.set_read_only(true);
  first.set_expected_version(read);
  const auto set = settings_->SetReadOnly(admin_, first);
  DT_ASSERT_OK(set);
  EXPECT_EQ(set->version(), read + 1);
  v1::SetDeviceTrustRequest trust;
  trust.set_enabled(true);
  trust.set_expected_version(read);
  DT_EXPECT_CODE(settings_->SetDeviceTrust(admin_, trust), kAborted);
  v1::SetCapabilityRequest capability;
  capability.set_expected_version(read);
  DT_EXPECT_CODE(settings_->SetCapability(admin_, capability), kAborted);
  v1::SetAdIntegrationRequest integration;
  integration.set_expected_version(read);
  DT_EXPECT_CODE(settings_->SetAdIntegration(admin_, integration), kAborted);
  first.set_read_only(false);
  DT_EXPECT_CODE(settings_->SetReadOnly(admin_, first), kAborted);
  EXPECT_TRUE(settings_->Get().settings().read_only());
  first.set_expected_version(set->version());
  DT_EXPECT_OK(settings_->SetReadOnly(admin_, first));
}

TEST_F(SettingsTest, AnOrgHasANameThatAuthenticatorAppsCanShow) {
  const auto name = [this](const std::string& text) {
    v1::SetDisplayNameRequest request;
    request.set_display_name(text);
    return settings_->SetDisplayName(admin_, request).status();
  };
  DT_EXPECT_OK(name("Example Inc."));
  EXPECT_EQ(settings_->Get().settings().display_name(), "Example Inc.");
  for (const std::string& wrong :
       {std::string("a: b"), std::string(" a"), std::string("a\nb"), std::string(65, 'x')}) {
    EXPECT_EQ(ReasonOf(name(wrong)), reason::v1::REASON_MALFORMED_REQUEST) << wrong;
  }
  DT_EXPECT_OK(name(""));
}

TEST_F(SettingsTest, AnOrgSaysHowAppsNamePeople) {
  const auto format = [this](const std::string& text) {
    v1::SetDefaultNameIdFormatRequest request;
    request.set_format(text);
    return settings_->SetDefaultNameIdFormat(admin_, request).status();
  };
  const std::string persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
  DT_EXPECT_OK(format(persistent));
  EXPECT_EQ(settings_->Get().settings().default_name_id_format(), persistent);
  EXPECT_EQ(apps_->ListApps({}).default_name_id_format(), persistent);  // What gateways ask.
  EXPECT_EQ(documents_->Export({})->document().settings().default_name_id_format(), persistent);
  EXPECT_EQ(ReasonOf(format("persistent")), reason::v1::REASON_MALFORMED_REQUEST);
  EXPECT_EQ(EventsOf("org.settings.change").back().targets(0).display_name(),
            "NameID format from none to " + persistent);
  DT_EXPECT_OK(format(""));
}

}  // namespace
}  // namespace devicetrust::policy
