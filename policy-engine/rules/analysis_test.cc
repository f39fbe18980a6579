#include "policy-engine/rules/analysis.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "libs/testing/status.h"
#include "policy-engine/rules/example_rules_fixture.h"
#include "policy-engine/rules/finding_words.h"

namespace devicetrust::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Finding> Of(FindingKind kind, const Analysis& analysis) {
  std::vector<Finding> found;
  for (const Finding& finding : analysis.findings) {
    if (finding.kind == kind) found.push_back(finding);
  }
  return found;
}

Rule RuleOf(std::string name, bool allow = true) {
  Rule rule;
  rule.name = std::move(name);
  rule.actions.allow = allow;
  return rule;
}

// SPEC POL-5: the settings of the reference's rule 3 contradict its title.
TEST(AnalysisTest, FindsThatRule3OfTheReferencesSettingsAdmitsUntrustedWindows) {
  const Analysis by_settings = Analyze(*Compiled(FiveRules(/*by_settings=*/true)));
  const auto admits = Of(FindingKind::kAdmitsUntrusted, by_settings);
  ASSERT_EQ(admits.size(), 1u);
  EXPECT_EQ(admits[0].rule, 2u);
  EXPECT_THAT(admits[0].others, ElementsAre(1u));
  EXPECT_EQ(admits[0].example.claimed_platform, Platform::kWindows);
  EXPECT_EQ(admits[0].example.trust, Trust::kNotTrusted);
  EXPECT_EQ(by_settings.findings.front().kind, FindingKind::kAdmitsUntrusted);

  const Analysis by_title = Analyze(*Compiled(FiveRules()));
  EXPECT_THAT(Of(FindingKind::kAdmitsUntrusted, by_title), IsEmpty());
  for (const Finding& finding : by_title.findings) {
    EXPECT_EQ(SeverityOf(finding.kind), Severity::kNote);
  }
  EXPECT_EQ(by_title.bound, "");
}

TEST(AnalysisTest, ARuleBehindOneThatTakesEverybodyIsNeverReached) {
  Rule late = RuleOf("late", false);
  late.people = {false, {}, {"Sales"}, {}, {}};
  const Analysis analysis = Analyze(*Compiled({RuleOf("all"), late}, AppKind::kGeneric));
  const auto never = Of(FindingKind::kNeverReached, analysis);
  ASSERT_EQ(never.size(), 1u);
  EXPECT_EQ(never[0].rule, 1u);
  EXPECT_THAT(never[0].others, ElementsAre(0u));
  EXPECT_THAT(never[0].example.groups, ElementsAre("Sales"));
}

TEST(AnalysisTest, NobodyMeetsARuleThatExcludesWhomItNames) {
  Rule nobody = RuleOf("nobody");
  nobody.people = {false, {"u1"}, {"Sales"}, {"u1"}, {"SALES"}};
  const auto policy = Compiled({nobody, RuleOf("rest", false)});
  const Analysis analysis = Analyze(*policy);
  const auto found = Of(FindingKind::kNobodyCanMeet, analysis);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].rule, 0u);
  EXPECT_EQ(found[0].example.user_id, "u1");
  EXPECT_EQ(Describe(*policy, found[0]),
            "rule 1 'nobody': no sign-in can meet its conditions; in the nearest, people wants 1 "
            "user; groups Sales; except 1 user; except groups SALES; is a user that is excluded");
  const auto locked = Of(FindingKind::kLocksEverybodyOut, analysis);
  ASSERT_EQ(locked.size(), 1u);
  EXPECT_EQ(locked[0].example.trust, Trust::kTrusted);
  EXPECT_EQ(policy->Evaluate(locked[0].example.facts()).outcome, Outcome::kDenied);
}

TEST(AnalysisTest, TheNearestSignInLacksOnlyWhatNobodyCanHave) {
  Rule nobody = RuleOf("nobody");
  nobody.people = {false, {}, {"Sales"}, {}, {"sales"}};
  nobody.location.kind = Location::kOnNetwork;
  nobody.clients = {ClientKind::kModernAuth};
  nobody.platforms = {Platform::kMacos};
  nobody.trust = TrustCondition::kTrusted;
  const auto policy = Compiled({nobody, RuleOf("rest", false)}, AppKind::kOffice,
                               {Zone::Compile({"network", {"10.0.0.0/8"}}).value()});
  const auto found = Of(FindingKind::kNobodyCanMeet, Analyze(*policy));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].example.Describe(),
            "a member of Sales, from 10.0.0.1, modern auth on macOS, device trusted");
  EXPECT_EQ(Describe(*policy, found[0]),
            "rule 1 'nobody': no sign-in can meet its conditions; in the nearest, people wants "
            "groups Sales; except groups sales; is a member of sales, which is excluded");
}

TEST(AnalysisTest, ARuleThatNeedsDeviceTrustOffHasASignInWithItOff) {
  Rule trusted = RuleOf("trusted");
  trusted.platforms = {Platform::kMacos};
  trusted.trust = TrustCondition::kTrusted;
  Rule untrusted = trusted;
  untrusted.name = "untrusted";
  untrusted.trust = TrustCondition::kNotTrusted;
  Rule macs = RuleOf("macs");
  macs.platforms = {Platform::kMacos};
  const auto policy =
      Compiled({trusted, untrusted, macs, RuleOf("rest", false)}, AppKind::kGeneric);
  const auto found = Of(FindingKind::kReachedOnlyWithoutDeviceTrust, Analyze(*policy));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].rule, 2u);
  EXPECT_EQ(found[0].example.trust, Trust::kNotEvaluated);
  EXPECT_EQ(policy->Evaluate(found[0].example.facts()).rule, 2u);
}

TEST(AnalysisTest, AHoleSaysOnWhichPlatforms) {
  Rule known = RuleOf("known platforms", false);
  known.platforms = {Platform::kIos, Platform::kAndroid, Platform::kWindows, Platform::kMacos,
                     Platform::kOtherDesktop};
  const auto holes =
      Of(FindingKind::kFallsToDefault, Analyze(*Compiled({known}, AppKind::kGeneric)));
  ASSERT_EQ(holes.size(), 1u);
  EXPECT_EQ(holes[0].detail, "unknown platform, other mobile");
  EXPECT_EQ(holes[0].example.claimed_platform, Platform::kOtherMobile);
}

// What forcing Device Trust off (ORG-2) would do.
TEST(AnalysisTest, SeesTheHoleThatSwitchingDeviceTrustOffTears) {
  Rule trusted = RuleOf("trusted");
  trusted.platforms = {Platform::kWindows};
  trusted.trust = TrustCondition::kTrusted;
  Rule untrusted = trusted;
  untrusted.name = "untrusted";
  untrusted.trust = TrustCondition::kNotTrusted;
  untrusted.actions.allow = false;
  Rule others = RuleOf("others", false);
  others.platforms = {Platform::kIos, Platform::kAndroid, Platform::kOtherMobile, Platform::kMacos,
                      Platform::kOtherDesktop};
  const Analysis analysis = Analyze(*Compiled({trusted, untrusted, others}, AppKind::kGeneric));
  const auto holes = Of(FindingKind::kFallsToDefaultWithoutDeviceTrust, analysis);
  ASSERT_EQ(holes.size(), 1u);
  EXPECT_EQ(holes[0].detail, "Windows");
  EXPECT_THAT(Of(FindingKind::kUntrustedNeverDenied, analysis), IsEmpty());
}

// The reference's own demand for troubleshooting.
TEST(AnalysisTest, ATrustRuleWithoutADenialOfUntrustedDevices) {
  Rule trusted = RuleOf("trusted");
  trusted.platforms = {Platform::kWindows};
  trusted.trust = TrustCondition::kTrusted;
  const Analysis analysis = Analyze(*Compiled({trusted}, AppKind::kGeneric));
  const auto never_denied = Of(FindingKind::kUntrustedNeverDenied, analysis);
  ASSERT_EQ(never_denied.size(), 1u);
  // Where the rule lets in with a trusted device alone, the untrusted one gets in.
  EXPECT_EQ(never_denied[0].example.claimed_platform, Platform::kWindows);
  EXPECT_EQ(never_denied[0].example.trust, Trust::kNotTrusted);
  const auto admits = Of(FindingKind::kAdmitsUntrusted, analysis);
  ASSERT_EQ(admits.size(), 1u);
  EXPECT_EQ(admits[0].rule, 1u);  // The default rule.

  Rule meant = trusted;
  meant.name = "untrusted, with a factor";
  meant.trust = TrustCondition::kNotTrusted;
  meant.actions.prompt_for_factor = true;
  const Analysis named = Analyze(*Compiled({trusted, meant}, AppKind::kGeneric));
  EXPECT_EQ(Of(FindingKind::kAdmitsUntrustedByName, named).size(), 1u);
  EXPECT_THAT(Of(FindingKind::kAdmitsUntrusted, named), IsEmpty());
}

TEST(AnalysisTest, PeopleAndDevicesThatThereAreDecideWhichRulesCanBeMet) {
  Rule sales = RuleOf("sales, trusted Mac");
  sales.people = {false, {}, {"Sales"}, {}, {}};
  sales.platforms = {Platform::kMacos};
  sales.trust = TrustCondition::kTrusted;
  Rule gone = RuleOf("gone");
  gone.people = {false, {"left-long-ago"}, {}, {}, {}};
  const auto policy = Compiled({sales, gone, RuleOf("rest", false)}, AppKind::kGeneric);
  Population people(*policy);
  const std::vector<std::string> groups = {"sales", "Staff"};
  const auto bit = [](Platform platform) {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(platform));
  };
  people.Add("u1", "ada@corp.test", groups, bit(Platform::kWindows));
  people.Add("u2", "bob@corp.test", {}, bit(Platform::kMacos));
  const Analysis analysis = Analyze(*policy, &people);
  const auto no_device = Of(FindingKind::kNoEnrolledDevice, analysis);
  ASSERT_EQ(no_device.size(), 1u);
  EXPECT_EQ(no_device[0].rule, 0u);
  EXPECT_EQ(no_device[0].example.principal, "ada@corp.test");
  EXPECT_EQ(policy->Evaluate(no_device[0].example.facts()).rule, 0u);
  const auto nobody = Of(FindingKind::kNobodyCanMeet, analysis);
  ASSERT_EQ(nobody.size(), 1u);
  EXPECT_EQ(nobody[0].rule, 1u);
  EXPECT_EQ(nobody[0].detail, "none of the 2 people of the org");
  EXPECT_TRUE(policy->Evaluate(nobody[0].example.facts()).AllHold().Has(1));
  EXPECT_EQ(nobody[0].example.user_id, "left-long-ago");

  Population with_mac(*policy);
  with_mac.Add("u1", "ada@corp.test", groups, bit(Platform::kMacos));
  EXPECT_THAT(Of(FindingKind::kNoEnrolledDevice, Analyze(*policy, &with_mac)), IsEmpty());
}

TEST(AnalysisTest, ABoundIsToldAndNothingIsSaidOfAll) {
  std::vector<Rule> rules;
  for (int i = 0; i < 20; ++i) {
    Rule rule = RuleOf("rule " + std::to_string(i), i % 2 == 0);
    rule.people = {false, {}, {"g" + std::to_string(i)}, {}, {"x" + std::to_string(i % 3)}};
    rules.push_back(rule);
  }
  rules.push_back(rules.front());
  rules.back().name = "again";
  const auto policy = Compiled(rules, AppKind::kGeneric);
  EXPECT_EQ(Of(FindingKind::kNeverReached, Analyze(*policy)).size(), 1u);
  const Analysis cut = Analyze(*policy, nullptr, /*steps_max=*/10);
  EXPECT_NE(cut.bound, "");
  EXPECT_THAT(Of(FindingKind::kNeverReached, cut), IsEmpty());
  EXPECT_FALSE(Compare(*policy, *Compiled({}, AppKind::kGeneric), 10).Equivalent());

  // A group for each two of 33 rules: 528 kinds.
  std::vector<Rule> wide(33);
  for (std::size_t i = 0; i < wide.size(); ++i) {
    wide[i].name = "wide " + std::to_string(i);
    for (std::size_t j = 0; j < i; ++j) {
      const std::string group = fmt::format("g{}-{}", i, j);
      wide[i].people.except_groups.push_back(group);
      wide[j].people.except_groups.push_back(group);
    }
  }
  EXPECT_NE(Analyze(*Compiled(wide, AppKind::kGeneric)).bound, "");
  EXPECT_NE(Compare(*Compiled(wide, AppKind::kGeneric), *policy).bound, "");
}

TEST(ComparisonTest, SaysWhichSignInsAnEditChangesAndThatARenameChangesNone) {
  std::vector<Rule> renamed = FiveRules();
  renamed[1].name = "Managed Windows";
  EXPECT_TRUE(Compare(*Compiled(FiveRules()), *Compiled(renamed)).Equivalent());

  const Comparison edit = Compare(*Compiled(FiveRules()), *Compiled(FiveRules(true)));
  ASSERT_EQ(edit.differences.size(), 1u);
  EXPECT_EQ(edit.differences[0].before, 3u);
  EXPECT_EQ(edit.differences[0].after, 2u);
  EXPECT_EQ(edit.differences[0].outcome_before, Outcome::kDenied);
  EXPECT_EQ(edit.differences[0].outcome_after, Outcome::kFactorRequired);
  EXPECT_EQ(edit.differences[0].example.Describe(),
            "anybody else, from 0.0.0.1, web browser on Windows, device not trusted");

  std::vector<Rule> stricter = FiveRules();
  stricter[2].actions.factor_frequency = FactorFrequency::kEveryInterval;
  stricter[2].actions.factor_lifetime = std::chrono::minutes(15);
  const Comparison older = Compare(*Compiled(FiveRules()), *Compiled(stricter));
  ASSERT_EQ(older.differences.size(), 1u);
  EXPECT_EQ(older.differences[0].example.factor_ago, std::chrono::minutes(15));
}

}  // namespace
}  // namespace devicetrust::policy
