// Properties of the evaluation over random policies and sign-ins.
#include <gtest/gtest.h>

#include <array>

#include "libs/testing/status.h"
#include "policy-engine/rules/explanation.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/rules/random_policy_fixture.h"

namespace devicetrust::policy::random_policy {
namespace {

constexpr std::array kUserAgents = {"",
                                    " ",
                                    "\xff\xfe",
                                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
                                    "iPhone",
                                    "Android",
                                    "Windows Windows Phone Macintosh Linux",
                                    "curl/8.0",
                                    "X11; Linux x86_64",
                                    "Macintosh",
                                    "BlackBerry",
                                    "' OR 1=1 --"};

Facts RandomFacts(std::mt19937_64& random, const std::vector<std::string>& groups) {
  static const std::vector<std::optional<IpAddress>> kAddresses = Addresses();
  Facts facts;
  facts.user_id = kUsers[random() % kUsers.size()];
  facts.groups = std::span(groups).subspan(random() % (groups.size() + 1));
  facts.address = kAddresses[random() % kAddresses.size()];
  facts.client = static_cast<ClientKind>(random() % (kClientKindCount + 1));
  facts.claimed_platform = PlatformFromUserAgent(kUserAgents[random() % kUserAgents.size()]);
  if (random() % 3 == 0) facts.verified_platform = static_cast<Platform>(random() % 7);
  facts.trust = static_cast<Trust>(random() % kTrustCount);
  facts.now = kNow;
  facts.authenticated_at = kNow - std::chrono::minutes(random() % 40);
  if (random() % 2 == 0) facts.factor_at = kNow - std::chrono::minutes(random() % 40);
  return facts;
}

// Calls `check` with many random policies and sign-ins.
template <typename Check>
void ForManySignIns(std::uint64_t seed, const Check& check) {
  std::mt19937_64 random(seed);
  const std::vector<std::string> groups = {"G1", "g2", "elsewhere", "g3", "g4"};
  const std::vector<Zone> zones = Zones();
  for (int round = 0; round < 3000; ++round) {
    const AppKind kind = random() % 4 == 0 ? AppKind::kGeneric : AppKind::kOffice;
    const std::vector<Rule> rules = RandomRules(random, kind, 8);
    const auto policy = CompiledPolicy::Compile(rules, kind, zones).value();
    for (int sign_in = 0; sign_in < 20; ++sign_in) {
      check(*policy, rules, RandomFacts(random, groups));
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

// Attack 1 of the findings: a client that no rule knows must not slip past all of them.
TEST(EvaluationPropertyTest, ExactlyOneRuleDecidesAndUnknownIsNeverTrusted) {
  int trust_decided = 0;
  ForManySignIns(20261124, [&](const CompiledPolicy& policy, const std::vector<Rule>& rules,
                               const Facts& facts) {
    const Decision decision = policy.Evaluate(facts);
    ASSERT_EQ(decision.rule, Oracle(policy.kind()).Decide(rules, facts));
    const Rule& decided = policy.rule(decision.rule);
    ASSERT_TRUE(decided.active);
    if (decided.trust == TrustCondition::kTrusted) {
      ASSERT_EQ(facts.trust, Trust::kTrusted);
      ASSERT_NE(EffectivePlatform(facts), Platform::kUnknown);
      ++trust_decided;
    }
    if (decided.trust == TrustCondition::kNotTrusted) {
      ASSERT_EQ(facts.trust, Trust::kNotTrusted);
    }
    ASSERT_EQ(decision.outcome == Outcome::kDenied, !decided.actions.allow);
    const auto traces = Explain(policy, facts, decision, "");
    ASSERT_EQ(traces.size(), decision.rule + 1);
    ASSERT_TRUE(traces.back().matched && traces.back().holds);
  });
  EXPECT_GT(trust_decided, 100);
}

// Attack 18 of the findings: with and without its report-only rules, a policy decides alike and
// asks alike for a device.
TEST(EvaluationPropertyTest, ReportOnlyRulesHaveNoEffect) {
  int reported = 0;
  const std::vector<Zone> zones = Zones();
  ForManySignIns(20261125, [&](const CompiledPolicy& policy, const std::vector<Rule>& rules,
                               const Facts& facts) {
    std::vector<Rule> without = rules;
    std::erase_if(without, [](const Rule& rule) { return rule.report_only; });
    const auto bare = CompiledPolicy::Compile(without, policy.kind(), zones).value();
    ASSERT_EQ(policy.uses_trust(), bare->uses_trust());
    const Decision with = policy.Evaluate(facts);
    const Decision plain = bare->Evaluate(facts);
    ASSERT_EQ(with.outcome, plain.outcome);
    ASSERT_EQ(policy.rule(with.rule).name, bare->rule(plain.rule).name);
    ASSERT_TRUE(plain.reported.empty());
    with.reported.ForEach([&](std::size_t index) {
      ++reported;
      ASSERT_LT(index, with.rule);
      // What it would have decided, were it alone in force.
      std::vector<Rule> tried = rules;
      tried[index].active = true;
      tried[index].report_only = false;
      const auto in_force = CompiledPolicy::Compile(tried, policy.kind(), zones).value();
      const Decision would = in_force->Evaluate(facts);
      ASSERT_EQ(would.rule, index);
      ASSERT_EQ(would.outcome, OutcomeOf(rules[index].actions, facts));
    });
  });
  EXPECT_GT(reported, 100);
}

TEST(EvaluationPropertyTest, EveryConditionOfEveryRuleIsExplainedAsItIs) {
  ForManySignIns(20261126, [&](const CompiledPolicy& policy, const std::vector<Rule>& rules,
                               const Facts& facts) {
    const Decision decision = policy.Evaluate(facts);
    const auto traces = Explain(policy, facts, decision, "", Scope::kAll);
    ASSERT_EQ(traces.size(), rules.size() + 1);
    const Oracle oracle(policy.kind());
    for (std::size_t i = 0; i < rules.size(); ++i) {
      ASSERT_EQ(traces[i].holds, oracle.Matches(rules[i], facts));
      ASSERT_EQ(traces[i].holds,
                std::all_of(traces[i].conditions.begin(), traces[i].conditions.end(),
                            [](const ConditionExplanation& one) { return one.matched; }));
      ASSERT_EQ(traces[i].matched, i == decision.rule);
    }
    ASSERT_TRUE(traces.back().holds);
  });
}

}  // namespace
}  // namespace devicetrust::policy::random_policy
