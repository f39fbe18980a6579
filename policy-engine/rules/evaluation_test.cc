#include "policy-engine/rules/evaluation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/testing/status.h"
#include "policy-engine/rules/example_rules_fixture.h"
#include "policy-engine/rules/explanation.h"
#include "policy-engine/rules/platform_evidence.h"

namespace devicetrust::policy {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};

Facts Browser(Platform platform, Trust trust) {
  Facts facts;
  facts.user_id = "u1";
  facts.client = ClientKind::kWebBrowser;
  facts.claimed_platform = platform;
  facts.trust = trust;
  facts.now = kNow;
  facts.authenticated_at = kNow - minutes{5};
  return facts;
}

struct Expectation {
  ClientKind client;
  Platform platform;
  Trust trust;
  std::size_t rule;  // From 1.
  Outcome outcome;
};

TEST(FiveRuleExampleTest, DecidesAsItsTitlesSay) {
  const auto policy = Compiled(FiveRules());
  EXPECT_TRUE(policy->uses_trust());
  const auto browser = ClientKind::kWebBrowser;
  const auto legacy = ClientKind::kLegacyAuth;
  for (const Expectation& e : std::vector<Expectation>{
           {legacy, Platform::kWindows, Trust::kNotTrusted, 1, Outcome::kAllowed},
           {legacy, Platform::kUnknown, Trust::kNotTrusted, 1, Outcome::kAllowed},
           {browser, Platform::kWindows, Trust::kTrusted, 2, Outcome::kFactorRequired},
           {ClientKind::kModernAuth, Platform::kWindows, Trust::kTrusted, 2,
            Outcome::kFactorRequired},
           {browser, Platform::kWindows, Trust::kNotTrusted, 4, Outcome::kDenied},
           {browser, Platform::kWindows, Trust::kNotEvaluated, 4, Outcome::kDenied},
           {browser, Platform::kMacos, Trust::kNotTrusted, 3, Outcome::kFactorRequired},
           {browser, Platform::kIos, Trust::kNotTrusted, 3, Outcome::kFactorRequired},
           {browser, Platform::kOtherDesktop, Trust::kNotTrusted, 3, Outcome::kFactorRequired},
           {browser, Platform::kUnknown, Trust::kTrusted, 4, Outcome::kDenied},
           {browser, Platform::kUnknown, Trust::kNotTrusted, 4, Outcome::kDenied},
           {ClientKind::kUnknown, Platform::kWindows, Trust::kTrusted, 4, Outcome::kDenied}}) {
    Facts facts = Browser(e.platform, e.trust);
    facts.client = e.client;
    const Decision decision = policy->Evaluate(facts);
    EXPECT_EQ(decision.rule + 1, e.rule) << Name(e.client) << " " << Name(e.platform);
    EXPECT_EQ(decision.outcome, e.outcome) << Name(e.client) << " " << Name(e.platform);
  }
}

// The variant that the linter of POL-5 warns of: rule 3 admits untrusted Windows.
TEST(FiveRuleExampleTest, BySettingsRule3AdmitsUntrustedWindows) {
  const auto policy = Compiled(FiveRules(/*by_settings=*/true));
  const Decision decision = policy->Evaluate(Browser(Platform::kWindows, Trust::kNotTrusted));
  EXPECT_EQ(decision.rule + 1, 3u);
  EXPECT_EQ(decision.outcome, Outcome::kFactorRequired);
  EXPECT_EQ(policy->Evaluate(Browser(Platform::kWindows, Trust::kTrusted)).rule + 1, 2u);
}

TEST(EvaluationTest, TheDirectorysPlatformOutranksTheUserAgents) {
  const auto policy = Compiled(FiveRules());
  Facts facts = Browser(Platform::kMacos, Trust::kNotTrusted);
  facts.verified_platform = Platform::kWindows;
  EXPECT_EQ(policy->Evaluate(facts).outcome, Outcome::kDenied);
  facts.trust = Trust::kTrusted;
  EXPECT_EQ(policy->Evaluate(facts).rule + 1, 2u);
}

TEST(EvaluationTest, InactiveRulesDoNotCountAndDoNotAskForAChallenge) {
  std::vector<Rule> rules = FiveRules();
  rules[1].active = false;
  const auto policy = Compiled(rules);
  EXPECT_FALSE(policy->uses_trust());
  EXPECT_EQ(policy->Evaluate(Browser(Platform::kWindows, Trust::kTrusted)).rule + 1, 4u);
  for (Rule& rule : rules) rule.active = false;
  const Decision decision = Compiled(rules)->Evaluate(Browser(Platform::kIos, Trust::kNotTrusted));
  EXPECT_EQ(decision.rule, rules.size());
  EXPECT_EQ(decision.outcome, Outcome::kAllowed);
}

TEST(EvaluationTest, AGenericAppHasNoClientCondition) {
  Rule rule = MakeRule("all", ClientSelection::All(), PlatformSelection::All(),
                       TrustCondition::kAny, false, false);
  const auto policy = Compiled({rule}, AppKind::kGeneric);
  Facts facts = Browser(Platform::kUnknown, Trust::kNotTrusted);
  facts.client = ClientKind::kUnknown;
  EXPECT_EQ(policy->Evaluate(facts).outcome, Outcome::kDenied);
}

TEST(EvaluationTest, PeopleAreIncludedAndExcluded) {
  Rule rule = MakeRule("staff", ClientSelection::All(), PlatformSelection::All(),
                       TrustCondition::kAny, false, false);
  rule.people.everyone = false;
  rule.people.users = {"u1"};
  rule.people.groups = {"Staff", "Sales"};
  rule.people.except_users = {"u9"};
  rule.people.except_groups = {"Contractors"};
  const auto policy = Compiled({rule}, AppKind::kGeneric);

  const auto matches = [&policy](std::string_view user, std::vector<std::string> groups) {
    Facts facts = Browser(Platform::kWindows, Trust::kNotTrusted);
    facts.user_id = user;
    facts.groups = groups;
    return policy->Evaluate(facts).rule == 0;
  };
  EXPECT_TRUE(matches("u1", {}));
  EXPECT_TRUE(matches("u2", {"Other", "Sales"}));
  EXPECT_FALSE(matches("u2", {}));
  EXPECT_TRUE(matches("u2", {"sales"}));  // As the directory compares names.
  EXPECT_FALSE(matches("u2", {"sale"}));
  EXPECT_FALSE(matches("u1", {"contractors"}));
  EXPECT_FALSE(matches("U1", {}));
  EXPECT_FALSE(matches("u9", {"Staff"}));
  EXPECT_FALSE(matches("u1", {"Contractors"}));
  EXPECT_FALSE(matches("", {}));
}

TEST(EvaluationTest, GroupsCompareInEveryAlphabetAndAreExplainedSo) {
  Rule rule = MakeRule("office", ClientSelection::All(), PlatformSelection::All(),
                       TrustCondition::kAny, false, false);
  rule.people.except_groups = {"ZÜRICH"};
  const auto policy = Compiled({rule}, AppKind::kGeneric);
  Facts facts = Browser(Platform::kWindows, Trust::kNotTrusted);
  const std::vector<std::string> groups = {"Zürich"};
  facts.groups = groups;
  const Decision decision = policy->Evaluate(facts);
  EXPECT_EQ(decision.rule, 1u);
  EXPECT_EQ(Explain(*policy, facts, decision, "")[0].conditions[0].seen,
            "a member of ZÜRICH, which is excluded");
}

TEST(EvaluationTest, LocationsIncludeTheUnknownOnlyOutside) {
  const std::vector<Zone> zones = {Zone::Compile({"network", {"10.0.0.0/8"}}).value(),
                                   Zone::Compile({"branch", {"192.0.2.0/24"}}).value()};
  const auto matches = [&zones](Location kind, std::vector<std::string> names,
                                std::optional<IpAddress> address) {
    Rule rule;
    rule.name = "place";
    rule.location = {kind, std::move(names)};
    Facts facts = Browser(Platform::kWindows, Trust::kNotTrusted);
    facts.address = address;
    return Compiled({rule}, AppKind::kGeneric, zones)->Evaluate(facts).rule == 0;
  };
  const auto office = IpAddress::Parse("::ffff:10.1.1.1");
  const auto branch = IpAddress::Parse("192.0.2.5");
  EXPECT_TRUE(matches(Location::kOnNetwork, {}, office));
  EXPECT_FALSE(matches(Location::kOnNetwork, {}, branch));
  EXPECT_FALSE(matches(Location::kOnNetwork, {}, std::nullopt));
  EXPECT_FALSE(matches(Location::kOffNetwork, {}, office));
  EXPECT_TRUE(matches(Location::kOffNetwork, {}, std::nullopt));
  EXPECT_TRUE(matches(Location::kInZones, {"branch"}, branch));
  EXPECT_TRUE(matches(Location::kInZones, {"branch", "network"}, office));
  EXPECT_FALSE(matches(Location::kInZones, {"branch"}, std::nullopt));
  EXPECT_TRUE(matches(Location::kNotInZones, {"branch"}, office));
  EXPECT_FALSE(matches(Location::kNotInZones, {"branch"}, branch));
}

TEST(EvaluationTest, AnUnknownZoneDoesNotCompile) {
  Rule rule;
  rule.name = "place";
  rule.location = {Location::kInZones, {"nowhere"}};
  const auto policy = CompiledPolicy::Compile({rule}, AppKind::kGeneric, {});
  DT_EXPECT_CODE(policy, kInvalidArgument);
}

Outcome WithFactor(FactorFrequency frequency, std::optional<seconds> age) {
  Rule rule;
  rule.name = "factor";
  rule.actions.prompt_for_factor = true;
  rule.actions.factor_frequency = frequency;
  if (frequency == FactorFrequency::kEveryInterval) rule.actions.factor_lifetime = minutes{15};
  Facts facts = Browser(Platform::kWindows, Trust::kNotTrusted);
  if (age) facts.factor_at = kNow - *age;
  return Compiled({rule}, AppKind::kGeneric)->Evaluate(facts).outcome;
}

TEST(EvaluationTest, AFactorHoldsAsLongAsTheRuleSays) {
  using F = FactorFrequency;
  EXPECT_EQ(WithFactor(F::kOncePerSession, std::nullopt), Outcome::kFactorRequired);
  EXPECT_EQ(WithFactor(F::kOncePerSession, seconds{1'000'000}), Outcome::kAllowed);
  EXPECT_EQ(WithFactor(F::kEverySignOn, seconds{0}), Outcome::kFactorRequired);
  EXPECT_EQ(WithFactor(F::kEveryInterval, seconds{899}), Outcome::kAllowed);
  EXPECT_EQ(WithFactor(F::kEveryInterval, seconds{900}), Outcome::kFactorRequired);
  // From a gateway whose clock is ahead: a little is skew, more proves nothing.
  EXPECT_EQ(WithFactor(F::kOncePerSession, seconds{-30}), Outcome::kAllowed);
  EXPECT_EQ(WithFactor(F::kOncePerSession, seconds{-31}), Outcome::kFactorRequired);
}

TEST(EvaluationTest, AnOldSessionSignsInAgainBeforeAFactorIsAskedFor) {
  Rule rule;
  rule.name = "fresh";
  rule.actions.prompt_for_factor = true;
  rule.actions.reauthenticate_after = minutes{10};
  const auto policy = Compiled({rule}, AppKind::kGeneric);
  Facts facts = Browser(Platform::kWindows, Trust::kNotTrusted);
  facts.authenticated_at = kNow - minutes{10};
  EXPECT_EQ(policy->Evaluate(facts).outcome, Outcome::kReauthenticate);
  facts.authenticated_at = kNow - minutes{9};
  EXPECT_EQ(policy->Evaluate(facts).outcome, Outcome::kFactorRequired);
  facts.authenticated_at = kNow + minutes{9};
  EXPECT_EQ(policy->Evaluate(facts).outcome, Outcome::kReauthenticate);
}

TEST(ExplanationTest, NamesEachConditionOfEachRuleUpToTheDecidingOne) {
  const auto policy = Compiled(FiveRules());
  const Facts facts = Browser(Platform::kWindows, Trust::kNotTrusted);
  const auto rules = Explain(*policy, facts, policy->Evaluate(facts), "no certificate");
  ASSERT_EQ(rules.size(), 4u);
  EXPECT_EQ(rules[1].name, "Windows, trusted");
  EXPECT_FALSE(rules[1].matched);
  ASSERT_EQ(rules[1].conditions.size(), 5u);
  const ConditionExplanation& trust = rules[1].conditions[4];
  EXPECT_FALSE(trust.matched);
  EXPECT_EQ(trust.wanted, "trusted");
  EXPECT_EQ(trust.seen, "not trusted (no certificate)");
  const ConditionExplanation& platform = rules[2].conditions[3];
  EXPECT_FALSE(platform.matched);
  EXPECT_EQ(platform.seen, "Windows (user agent)");
  EXPECT_TRUE(rules[3].matched);
}

}  // namespace
}  // namespace devicetrust::policy
