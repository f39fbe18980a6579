#include "policy-engine/rules/rules.h"

#include <gtest/gtest.h>

#include <functional>

#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

using std::chrono::seconds;

Rule Named(std::string name) {
  Rule rule;
  rule.name = std::move(name);
  return rule;
}

Rule TrustedWindows() {
  Rule rule = Named("Windows, trusted");
  rule.clients = {ClientKind::kWebBrowser, ClientKind::kModernAuth};
  rule.platforms = {Platform::kWindows};
  rule.trust = TrustCondition::kTrusted;
  return rule;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(RulesTest, ANewRuleSelectsEverythingAndAllows) {
  const Rule rule = Named("new");
  EXPECT_TRUE(rule.active);
  EXPECT_TRUE(rule.people.everyone);
  EXPECT_TRUE(rule.clients.IsAll());
  EXPECT_TRUE(rule.platforms.IsAll());
  EXPECT_EQ(rule.trust, TrustCondition::kAny);
  EXPECT_TRUE(rule.actions.allow);
  DT_EXPECT_OK(Validate(rule, AppKind::kOffice));
  DT_EXPECT_OK(Validate(rule, AppKind::kGeneric));
}

TEST(RulesTest, TheDefaultRuleAllowsEverybody) {
  const Rule& rule = DefaultRule();
  EXPECT_TRUE(rule.active && rule.actions.allow && rule.people.everyone);
  EXPECT_TRUE(rule.clients.IsAll() && rule.platforms.IsAll());
  EXPECT_FALSE(NamesTrust(rule));
}

// POL-3, each of the three options alone, for both conditions.
TEST(RulesTest, TrustExcludesLegacyClientsOtherMobileAndOtherDesktop) {
  for (const TrustCondition trust : {TrustCondition::kTrusted, TrustCondition::kNotTrusted}) {
    Rule rule = TrustedWindows();
    rule.trust = trust;
    DT_EXPECT_OK(Validate(rule, AppKind::kOffice));

    Rule legacy = rule;
    legacy.clients.Add(ClientKind::kLegacyAuth);
    DT_EXPECT_CODE(Validate(legacy, AppKind::kOffice), kInvalidArgument);
    EXPECT_NE(Message(Validate(legacy, AppKind::kOffice)).find("Exchange ActiveSync"),
              std::string::npos);

    for (const Platform platform : {Platform::kOtherMobile, Platform::kOtherDesktop}) {
      Rule other = rule;
      other.platforms.Add(platform);
      DT_EXPECT_CODE(Validate(other, AppKind::kOffice), kInvalidArgument);
      EXPECT_NE(Message(Validate(other, AppKind::kOffice)).find(Name(platform)), std::string::npos);
    }
  }
}

TEST(RulesTest, TrustIsFreeOfClientsWhereThereAreNone) {
  Rule rule = TrustedWindows();
  rule.clients = ClientSelection::All();
  DT_EXPECT_OK(Validate(rule, AppKind::kGeneric));
  DT_EXPECT_CODE(Validate(rule, AppKind::kOffice), kInvalidArgument);
}

struct BadRule {
  const char* word;  // That the message must hold.
  std::function<void(Rule&)> spoil;
};

TEST(RulesTest, RefusesWhatCouldNotMatchOrMean) {
  const std::vector<BadRule> bad = {
      {"name", [](Rule& r) { r.name = ""; }},
      {"name", [](Rule& r) { r.name = "  "; }},
      {"name", [](Rule& r) { r.name = std::string(129, 'a'); }},
      {"name", [](Rule& r) { r.name = "a\nb"; }},
      {"people", [](Rule& r) { r.people.everyone = false; }},
      {"people", [](Rule& r) { r.people.users = {"u1"}; }},
      {"people", [](Rule& r) { r.people.except_groups = {""}; }},
      {"people", [](Rule& r) { r.people.except_users.assign(kPeoplePerRuleMax + 1, "u"); }},
      {"location", [](Rule& r) { r.location.kind = Location::kInZones; }},
      {"location", [](Rule& r) { r.location.zones = {"office"}; }},
      {"client", [](Rule& r) { r.clients = {}; }},
      {"platform", [](Rule& r) { r.platforms = {}; }},
      {"access",
       [](Rule& r) {
         r.actions.allow = false;
         r.actions.prompt_for_factor = true;
       }},
      {"factor lifetime",
       [](Rule& r) { r.actions.factor_frequency = FactorFrequency::kEveryInterval; }},
      {"factor lifetime", [](Rule& r) { r.actions.factor_lifetime = seconds{60}; }},
      {"re-authentication", [](Rule& r) { r.actions.reauthenticate_after = seconds{59}; }},
      {"re-authentication",
       [](Rule& r) { r.actions.reauthenticate_after = kIntervalMax + seconds{1}; }},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    Rule rule = Named("good");
    bad[i].spoil(rule);
    const absl::Status status = Validate(rule, AppKind::kOffice);
    DT_EXPECT_CODE(status, kInvalidArgument) << i;
    EXPECT_NE(Message(status).find(bad[i].word), std::string::npos) << Message(status);
  }
}

TEST(RulesTest, NamesAreUniqueAndTheDefaultRulesIsTaken) {
  DT_EXPECT_OK(Validate(std::vector<Rule>{Named("a"), Named("b")}, AppKind::kGeneric));
  DT_EXPECT_CODE(Validate(std::vector<Rule>{Named("a"), Named("a")}, AppKind::kGeneric),
                 kInvalidArgument);
  DT_EXPECT_CODE(Validate(std::vector<Rule>{DefaultRule()}, AppKind::kGeneric), kInvalidArgument);
}

TEST(RulesTest, AnAppHasSoManyRulesAndNoMore) {
  std::vector<Rule> rules;
  for (std::size_t i = 0; i <= kRulesPerAppMax; ++i) rules.push_back(Named(std::to_string(i)));
  DT_EXPECT_CODE(Validate(rules, AppKind::kGeneric), kInvalidArgument);
  rules.pop_back();
  DT_EXPECT_OK(Validate(rules, AppKind::kGeneric));
}

}  // namespace
}  // namespace devicetrust::policy
