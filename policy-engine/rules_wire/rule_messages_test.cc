#include "policy-engine/rules_wire/rule_messages.h"

#include <gmock/gmock.h>

#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Rule Allowing() {
  v1::Rule message;
  message.set_name("r");
  message.mutable_action()->set_access(v1::Action::ACCESS_ALLOWED);
  return message;
}

TEST(RuleMessagesTest, WhatIsUnsetIsTheWidestValue) {
  const auto rule = RuleFromMessage(Allowing());
  DT_ASSERT_OK(rule);
  EXPECT_FALSE(rule->active);
  EXPECT_TRUE(rule->people.everyone);
  EXPECT_EQ(rule->location.kind, Location::kAnywhere);
  EXPECT_TRUE(rule->clients.IsAll());
  EXPECT_TRUE(rule->platforms.IsAll());
  EXPECT_EQ(rule->trust, TrustCondition::kAny);
  EXPECT_EQ(rule->actions.factor_frequency, FactorFrequency::kOncePerSession);
  EXPECT_EQ(rule->actions.reauthenticate_after, std::nullopt);
}

TEST(RuleMessagesTest, AnActionThatDoesNotSayIsRefused) {
  v1::Rule message = Allowing();
  message.mutable_action()->clear_access();
  DT_EXPECT_CODE(RuleFromMessage(message), kInvalidArgument);
  message.clear_action();
  const auto refused = RuleFromMessage(message);
  DT_EXPECT_CODE(refused, kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("rule 'r'"));
}

TEST(RuleMessagesTest, ValuesOfALaterReleaseAreRefused) {
  const auto refused = [](auto spoil) {
    v1::Rule message = Allowing();
    spoil(message);
    return absl::IsInvalidArgument(RuleFromMessage(message).status());
  };
  EXPECT_TRUE(refused([](v1::Rule& r) { r.set_trust(static_cast<v1::TrustCondition>(9)); }));
  EXPECT_TRUE(refused([](v1::Rule& r) { r.add_clients(static_cast<v1::ClientKind>(9)); }));
  EXPECT_TRUE(refused([](v1::Rule& r) { r.add_clients(v1::CLIENT_KIND_UNSPECIFIED); }));
  EXPECT_TRUE(refused([](v1::Rule& r) { r.add_platforms(v1::PLATFORM_KIND_UNSPECIFIED); }));
  EXPECT_TRUE(refused([](v1::Rule& r) {
    r.mutable_location()->set_kind(static_cast<v1::LocationCondition::Kind>(9));
  }));
  EXPECT_TRUE(refused([](v1::Rule& r) {
    r.mutable_action()->set_factor_frequency(static_cast<v1::FactorFrequency>(9));
  }));
  EXPECT_TRUE(
      refused([](v1::Rule& r) { r.mutable_action()->mutable_factor_lifetime()->set_nanos(1); }));
  EXPECT_TRUE(refused([](v1::Rule& r) { r.set_is_default(true); }));
}

TEST(RuleMessagesTest, TakesEveryCondition) {
  v1::Rule message = Allowing();
  message.set_active(true);
  message.mutable_people()->add_groups("Staff");
  message.mutable_people()->add_excluded_user_ids("u1");
  message.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  message.mutable_location()->add_zones("branch");
  message.add_clients(v1::CLIENT_KIND_MODERN_AUTH);
  message.add_platforms(v1::PLATFORM_KIND_MACOS);
  message.set_trust(v1::TRUST_CONDITION_NOT_TRUSTED);
  v1::Action& action = *message.mutable_action();
  action.set_prompt_for_factor(true);
  action.set_factor_frequency(v1::FACTOR_FREQUENCY_EVERY_INTERVAL);
  action.mutable_factor_lifetime()->set_seconds(600);
  action.mutable_reauthenticate_after()->set_seconds(3600);
  const auto rule = RuleFromMessage(message);
  DT_ASSERT_OK(rule);
  EXPECT_TRUE(rule->active);
  EXPECT_FALSE(rule->people.everyone);
  EXPECT_THAT(rule->people.groups, ElementsAre("Staff"));
  EXPECT_THAT(rule->people.except_users, ElementsAre("u1"));
  EXPECT_EQ(rule->location.kind, Location::kInZones);
  EXPECT_THAT(rule->location.zones, ElementsAre("branch"));
  EXPECT_EQ(rule->clients, ClientSelection{ClientKind::kModernAuth});
  EXPECT_EQ(rule->platforms, PlatformSelection{Platform::kMacos});
  EXPECT_EQ(rule->trust, TrustCondition::kNotTrusted);
  EXPECT_EQ(rule->actions.factor_lifetime, std::chrono::minutes(10));
  EXPECT_EQ(rule->actions.reauthenticate_after, std::chrono::hours(1));
}

TEST(RuleMessagesTest, EveryValueComesBackAsItWent) {
  for (int i = 0; i <= kPlatformCount; ++i) {
    const Platform platform = static_cast<Platform>(i);
    EXPECT_EQ(PlatformFromMessage(ToMessage(platform)), platform);
  }
  for (int i = 0; i <= kClientKindCount; ++i) {
    const ClientKind client = static_cast<ClientKind>(i);
    EXPECT_EQ(ClientFromMessage(ToMessage(client)), client);
  }
  for (const Trust trust : {Trust::kNotEvaluated, Trust::kTrusted, Trust::kNotTrusted}) {
    EXPECT_EQ(TrustFromMessage(ToMessage(trust)), trust);
  }
  EXPECT_EQ(PlatformFromMessage(static_cast<v1::PlatformKind>(99)), Platform::kUnknown);
  EXPECT_EQ(ClientFromMessage(static_cast<v1::ClientKind>(99)), ClientKind::kUnknown);
  EXPECT_EQ(TrustFromMessage(static_cast<v1::TrustState>(99)), Trust::kNotTrusted);
}

TEST(RuleMessagesTest, ZonesHaveNamesOfTheirOwn) {
  google::protobuf::RepeatedPtrField<v1::Zone> zones;
  zones.Add()->set_name("branch");
  zones.Mutable(0)->add_cidr("192.0.2.0/24");
  EXPECT_EQ(ZonesFromMessages(zones)->size(), 1u);
  *zones.Add() = zones.Get(0);
  DT_EXPECT_CODE(ZonesFromMessages(zones), kInvalidArgument);
}

}  // namespace
}  // namespace devicetrust::policy
