#include "libs/admin/rules_file.h"

#include <gtest/gtest.h>

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

v1::App ThreeRules() {
  v1::App app;
  v1::Rule& trusted = *app.add_rules();
  trusted.set_name("Windows, trusted");
  trusted.set_active(true);
  trusted.mutable_people()->add_groups("Zoë's team");
  trusted.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  trusted.mutable_location()->add_zones("office");
  trusted.add_platforms(v1::PLATFORM_KIND_WINDOWS);
  trusted.set_trust(v1::TRUST_CONDITION_TRUSTED);
  trusted.mutable_action()->set_access(v1::Action::ACCESS_ALLOWED);
  trusted.mutable_action()->mutable_factor_lifetime()->set_seconds(3600);
  trusted.mutable_action()->set_factor_frequency(v1::FACTOR_FREQUENCY_EVERY_INTERVAL);
  v1::Rule& rest = *app.add_rules();
  rest.set_name("the rest");
  rest.mutable_people()->set_everyone(true);
  v1::Rule& last = *app.add_rules();
  last.set_name("Default sign-on rule");
  last.set_is_default(true);
  return app;
}

TEST(RulesFileTest, WhatGetWritesSetReads) {
  const v1::App app = ThreeRules();
  const auto request = RulesFromJson("rules.json", RulesToJson(app));
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->rules_size(), 2);  // Without the default rule.
  EXPECT_EQ(request->rules(0).SerializeAsString(), app.rules(0).SerializeAsString());
  EXPECT_EQ(request->rules(1).SerializeAsString(), app.rules(1).SerializeAsString());
}

struct BadFile {
  const char* text;
  const char* message;  // A part of it.
};
class BadRulesTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadRulesTest, NamesFileRuleFieldAndWhatWouldDo) {
  const auto request = RulesFromJson("rules.json", GetParam().text);
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(request.status().message());
  EXPECT_TRUE(message.starts_with("rules.json: ")) << message;
  EXPECT_NE(message.find(GetParam().message), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    , BadRulesTest,
    ::testing::Values(
        BadFile{"[\n  {\"name\": \"a\"}\n  {\"name\": \"b\"}\n]",
                "line 3, column 3: this is no JSON"},
        BadFile{"", "line 1, column 1: this is no JSON"},
        BadFile{R"({"rules": []})", "must hold a JSON list"},
        BadFile{R"([{"action": {"access": "ACCESS_DENIED", "access": "ACCESS_ALLOWED"}}])",
                "number 1 of the list: the member \"access\" stands there twice"},
        BadFile{R"(["a"])", "rule 1: must be an object with name, active, "},
        BadFile{R"([{}, {"name": "b", "trusted": true}])",
                "rule 2 \"b\": there is no field \"trusted\"; the fields are name, active, "},
        BadFile{R"([{"name": "a", "trust": "TRUSTY"}])",
                "rule 1 \"a\": trust: \"TRUSTY\" is none of TRUST_CONDITION_"},
        BadFile{R"([{"platforms": ["WINDOWS 3.1"]}])", "platforms: \"WINDOWS 3.1\" is none of"},
        BadFile{R"([{"platforms": "PLATFORM_KIND_IOS"}])", "platforms: must be a list"},
        BadFile{R"([{"active": "yes"}])", "active: must be true or false"},
        BadFile{R"([{"name": 7}])", "name: must be text in quotes"},
        BadFile{R"([{"people": {"group": []}}])",
                "people: there is no field \"group\"; the fields are everyone, "},
        BadFile{R"([{"action": {"factor_lifetime": 300}}])",
                "action.factor_lifetime: must be text"},
        BadFile{R"([{"action": {"factor_lifetime": "5 min"}}])", "rule 1: "}));

TEST(ZonesFileTest, RoundTripsAndNamesTheZone) {
  v1::GetZonesResponse zones;
  v1::Zone& office = *zones.add_zones();
  office.set_name("office");
  office.add_cidr("10.0.0.0/8");
  const auto request = ZonesFromJson("zones.json", ZonesToJson(zones));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->zones(0).cidr(0), "10.0.0.0/8");
  const auto bad = ZonesFromJson("zones.json", R"([{"name": "office", "range": "10.0.0.0/8"}])");
  EXPECT_NE(bad.status().message().find("zone 1 \"office\": there is no field \"range\""),
            std::string::npos)
      << bad.status();
}

}  // namespace
}  // namespace devicetrust::admin
