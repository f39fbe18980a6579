// The analysis of random small policies beside trying every sign-in.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "libs/testing/status.h"
#include "policy-engine/rules/analysis.h"
#include "policy-engine/rules/random_policy_fixture.h"

namespace devicetrust::policy::random_policy {
namespace {

using Pairs = std::set<std::pair<std::size_t, std::size_t>>;

std::vector<std::vector<std::string>> SetsOfGroups() {
  std::vector<std::vector<std::string>> sets;
  for (unsigned bits = 0; bits < 1u << kGroups.size(); ++bits) {
    std::vector<std::string>& set = sets.emplace_back();
    for (std::size_t i = 0; i < kGroups.size(); ++i) {
      if ((bits >> i & 1) != 0) set.push_back(kGroups[i]);
    }
  }
  return sets;
}

// Calls `visit` with every sign-in that random policies can tell apart, trust left open.
template <typename Visit>
void ForEverySignIn(const Visit& visit) {
  static const std::vector<std::vector<std::string>> kSets = SetsOfGroups();
  static const std::vector<std::optional<IpAddress>> kAddresses = {std::nullopt,
                                                                   IpAddress::Parse("0.0.0.0"),
                                                                   IpAddress::Parse("10.0.9.9"),
                                                                   IpAddress::Parse("10.1.9.9"),
                                                                   IpAddress::Parse("192.0.2.7"),
                                                                   IpAddress::Parse("198.51.100.7"),
                                                                   IpAddress::Parse("2001:db8::1"),
                                                                   IpAddress::Parse("fd00::3"),
                                                                   IpAddress::Parse("fd00::9")};
  Facts facts;
  facts.now = facts.authenticated_at = kNow;
  for (const std::string& user : kUsers) {
    facts.user_id = user;
    for (const auto& groups : kSets) {
      facts.groups = groups;
      for (const auto& address : kAddresses) {
        facts.address = address;
        for (int client = 0; client <= kClientKindCount; ++client) {
          facts.client = static_cast<ClientKind>(client);
          for (int platform = 0; platform <= kPlatformCount; ++platform) {
            facts.claimed_platform = static_cast<Platform>(platform);
            visit(facts);
          }
        }
      }
    }
  }
}

// What trying every sign-in comes to.
struct Tried {
  std::set<std::size_t> on, off, untrusted, meets;
  std::array<RuleSet, kConditionCount> held;  // The rules of which some sign-in meets a condition.
  Pairs shadows, admitted;
  bool falls_on = false, falls_off = false;

  explicit Tried(const CompiledPolicy& policy) {
    const std::size_t none = policy.rules().size();
    ForEverySignIn([&](Facts facts) {
      std::map<Trust, std::size_t> decides;
      RuleSet met;
      for (const Trust trust : {Trust::kTrusted, Trust::kNotTrusted, Trust::kNotEvaluated}) {
        facts.trust = trust;
        const Decision decision = policy.Evaluate(facts);
        for (std::size_t i = 0; i < held.size(); ++i) held[i] |= decision.holds[i];
        decides[trust] = decision.rule;
        (trust == Trust::kNotEvaluated ? off : on).insert(decision.rule);
        if (trust == Trust::kNotTrusted) untrusted.insert(decision.rule);
        const RuleSet all = decision.AllHold() & policy.active();
        if (trust != Trust::kNotEvaluated) met |= all;
        all.ForEach([&](std::size_t rule) {
          meets.insert(rule);
          if (rule > decision.rule) shadows.insert({rule, decision.rule});
        });
      }
      const Rule& asking = policy.rule(decides[Trust::kTrusted]);
      const Rule& admitting = policy.rule(decides[Trust::kNotTrusted]);
      if (asking.trust == TrustCondition::kTrusted && asking.actions.allow &&
          admitting.actions.allow) {
        admitted.insert({decides[Trust::kNotTrusted], decides[Trust::kTrusted]});
      }
      falls_on |= decides[Trust::kTrusted] == none || decides[Trust::kNotTrusted] == none;
      falls_off |= decides[Trust::kNotEvaluated] == none && !met.empty();
    });
  }
};

std::size_t Deciding(const CompiledPolicy& policy, const SignIn& sign_in) {
  return policy.Evaluate(sign_in.facts()).rule;
}

bool Meets(const CompiledPolicy& policy, const SignIn& sign_in, std::size_t rule) {
  return policy.Evaluate(sign_in.facts()).AllHold().Has(rule);
}

// Every finding of one policy, each checked against its example, sorted by kind.
struct Found {
  std::set<std::size_t> never, only_off, nobody;
  std::map<std::size_t, Decision> nearest;  // Of the rules that nobody can meet.
  Pairs shadows, admitted;
  bool falls_on = false, falls_off = false, never_denied = false, locks_out = false;

  explicit Found(const CompiledPolicy& policy) {
    const Analysis analysis = Analyze(policy);
    EXPECT_EQ(analysis.bound, "");
    for (const Finding& finding : analysis.findings) Take(policy, finding);
  }

  void Take(const CompiledPolicy& policy, const Finding& finding) {
    const std::size_t none = policy.rules().size();
    switch (finding.kind) {
      case FindingKind::kNeverReached:
        never.insert(finding.rule);
        ASSERT_EQ(Deciding(policy, finding.example), finding.others.front());
        ASSERT_TRUE(Meets(policy, finding.example, finding.rule));
        return;
      case FindingKind::kReachedOnlyWithoutDeviceTrust:
        only_off.insert(finding.rule);
        ASSERT_EQ(finding.example.trust, Trust::kNotEvaluated);
        ASSERT_EQ(Deciding(policy, finding.example), finding.rule);
        return;
      case FindingKind::kNobodyCanMeet:
        nobody.insert(finding.rule);
        nearest.emplace(finding.rule, policy.Evaluate(finding.example.facts()));
        return;
      case FindingKind::kShadowedInPart:
        shadows.insert({finding.rule, finding.others.front()});
        ASSERT_EQ(Deciding(policy, finding.example), finding.others.front());
        ASSERT_TRUE(Meets(policy, finding.example, finding.rule));
        return;
      case FindingKind::kAdmitsUntrusted:
      case FindingKind::kAdmitsUntrustedByName: {
        admitted.insert({finding.rule, finding.others.front()});
        SignIn example = finding.example;
        ASSERT_EQ(example.trust, Trust::kNotTrusted);
        ASSERT_EQ(Deciding(policy, example), finding.rule);
        example.trust = Trust::kTrusted;
        ASSERT_EQ(Deciding(policy, example), finding.others.front());
        return;
      }
      case FindingKind::kFallsToDefault:
        falls_on = true;
        ASSERT_NE(finding.example.trust, Trust::kNotEvaluated);
        ASSERT_EQ(Deciding(policy, finding.example), none);
        return;
      case FindingKind::kFallsToDefaultWithoutDeviceTrust:
        falls_off = true;
        ASSERT_EQ(finding.example.trust, Trust::kNotEvaluated);
        ASSERT_EQ(Deciding(policy, finding.example), none);
        return;
      case FindingKind::kUntrustedNeverDenied:
        never_denied = true;
        ASSERT_EQ(finding.example.trust, Trust::kNotTrusted);
        ASSERT_NE(policy.Evaluate(finding.example.facts()).outcome, Outcome::kDenied);
        return;
      case FindingKind::kLocksEverybodyOut:
        locks_out = true;
        ASSERT_EQ(finding.example.trust, Trust::kTrusted);
        ASSERT_EQ(policy.Evaluate(finding.example.facts()).outcome, Outcome::kDenied);
        return;
      case FindingKind::kNoEnrolledDevice:
        FAIL() << "no people were given";
    }
  }
};

void CheckAgainstTrying(const CompiledPolicy& policy) {
  const Tried tried(policy);
  const Found found(policy);
  if (::testing::Test::HasFatalFailure()) return;
  std::set<std::size_t> never, only_off, nobody;
  bool asks = false, denies = false, allows = tried.falls_on;
  policy.active().ForEach([&](std::size_t i) {
    const bool reached = tried.on.contains(i) || tried.off.contains(i);
    if (!tried.meets.contains(i)) nobody.insert(i);
    if (tried.meets.contains(i) && !reached) never.insert(i);
    if (reached && !tried.on.contains(i)) only_off.insert(i);
    asks |= policy.rule(i).trust == TrustCondition::kTrusted;
    denies |= tried.untrusted.contains(i) && !policy.rule(i).actions.allow;
    allows |= tried.on.contains(i) && policy.rule(i).actions.allow;
  });
  Pairs shadows;
  for (const auto& [later, first] : tried.shadows) {
    SignIn ages;
    const bool differ =
        FindDifference(policy.rule(later).actions, policy.rule(first).actions, ages);
    const bool reached = tried.on.contains(later) || tried.off.contains(later);
    if (differ && reached) shadows.insert({later, first});
  }
  EXPECT_EQ(found.never, never);
  EXPECT_EQ(found.only_off, only_off);
  EXPECT_EQ(found.nobody, nobody);
  for (const auto& [rule, decision] : found.nearest) {
    for (std::size_t i = 0; i < tried.held.size(); ++i) {
      EXPECT_EQ(decision.holds[i].Has(rule), tried.held[i].Has(rule));
    }
  }
  EXPECT_EQ(found.shadows, shadows);
  EXPECT_EQ(found.admitted, tried.admitted);
  EXPECT_EQ(found.falls_on, tried.falls_on);
  EXPECT_EQ(found.falls_off, tried.falls_off);
  EXPECT_EQ(found.never_denied, asks && !denies);
  EXPECT_EQ(found.locks_out, !allows);
}

TEST(AnalysisPropertyTest, FindsWhatTryingEverySignInFinds) {
  std::mt19937_64 random(20261130);
  const std::vector<Zone> zones = Zones();
  for (int round = 0; round < 150 && !::testing::Test::HasFailure(); ++round) {
    const AppKind kind = random() % 4 == 0 ? AppKind::kGeneric : AppKind::kOffice;
    const auto policy = CompiledPolicy::Compile(RandomRules(random, kind, 6), kind, zones).value();
    SCOPED_TRACE(round);
    CheckAgainstTrying(*policy);
  }
}

// Half of the policies are a change of the other one, as an administrator makes it.
std::vector<Rule> Changed(std::mt19937_64& random, AppKind kind, std::vector<Rule> rules) {
  if (rules.empty() || random() % 2 == 0) return RandomRules(random, kind, 5);
  Rule& rule = rules[random() % rules.size()];
  switch (random() % 4) {
    case 0:
      rule.people = RandomPeople(random);
      break;
    case 1:
      rule.location = RandomLocation(random);
      break;
    case 2:
      rule.actions = RandomActions(random);
      break;
    default:
      std::swap(rule, rules.front());
  }
  return rules;
}

TEST(AnalysisPropertyTest, ComparesAsTryingEverySignInDoes) {
  std::mt19937_64 random(20261201);
  const std::vector<Zone> zones = Zones();
  int equivalent = 0;
  for (int round = 0; round < 150; ++round) {
    const AppKind kind = random() % 4 == 0 ? AppKind::kGeneric : AppKind::kOffice;
    const std::vector<Rule> rules = RandomRules(random, kind, 5);
    const auto before = CompiledPolicy::Compile(rules, kind, zones).value();
    const auto after = CompiledPolicy::Compile(Changed(random, kind, rules), kind, zones).value();
    Pairs expected;
    ForEverySignIn([&](Facts facts) {
      for (int trust = 0; trust < kTrustCount; ++trust) {
        facts.trust = static_cast<Trust>(trust);
        expected.insert({before->Evaluate(facts).rule, after->Evaluate(facts).rule});
      }
    });
    std::erase_if(expected, [&](const auto& pair) {
      SignIn ages;
      return !FindDifference(before->rule(pair.first).actions, after->rule(pair.second).actions,
                             ages);
    });
    const Comparison comparison = Compare(*before, *after);
    Pairs found;
    for (const Difference& one : comparison.differences) {
      found.insert({one.before, one.after});
      const Decision first = before->Evaluate(one.example.facts());
      const Decision second = after->Evaluate(one.example.facts());
      ASSERT_EQ(first.rule, one.before);
      ASSERT_EQ(second.rule, one.after);
      ASSERT_EQ(first.outcome, one.outcome_before);
      ASSERT_EQ(second.outcome, one.outcome_after);
      ASSERT_NE(first.outcome, second.outcome);
    }
    ASSERT_EQ(found, expected) << round;
    ASSERT_EQ(comparison.Equivalent(), expected.empty());
    equivalent += expected.empty() ? 1 : 0;
  }
  EXPECT_GT(equivalent, 5);
}

// Two rules have one effect exactly when they agree at all ages.
TEST(AnalysisPropertyTest, FindsTheAgesAtWhichActionsDiffer) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    const Actions a = RandomActions(random);
    const Actions b = RandomActions(random);
    bool differ = false;
    SignIn tried;
    for (int password = 0; password < 40 * 60 && !differ; password += 59) {
      for (int factor = -59; factor < 40 * 60 && !differ; factor += 59) {
        tried.authenticated_ago = std::chrono::seconds(password);
        tried.factor_ago.reset();
        if (factor >= 0) tried.factor_ago = std::chrono::seconds(factor);
        differ = OutcomeOf(a, tried.facts()) != OutcomeOf(b, tried.facts());
      }
    }
    SignIn ages;
    ASSERT_EQ(FindDifference(a, b, ages), differ);
    if (differ) {
      ASSERT_NE(OutcomeOf(a, ages.facts()), OutcomeOf(b, ages.facts()));
    }
  }
}

}  // namespace
}  // namespace devicetrust::policy::random_policy
