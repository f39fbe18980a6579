#include "policy-engine/rules_wire/policy_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/names.h"
#include "policy-engine/rules/explanation.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/rules_wire/analysis_messages.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

// Any time does: only the differences between times count.
constexpr WallTime kTestTime{std::chrono::hours{24 * 365 * 50}};
constexpr std::chrono::seconds kAgeMax = std::chrono::hours{24 * 365};

std::string PersonKey(std::string_view name) { return FoldName(TrimName(name)); }

// Documents name people by principals, which compare as names.
void FoldPeople(Rule& rule) {
  for (auto* const people : {&rule.people.users, &rule.people.except_users}) {
    for (std::string& name : *people) name = PersonKey(name);
  }
}

absl::Status WrongCase(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

absl::StatusOr<std::chrono::seconds> AgeOf(const google::protobuf::Duration& age,
                                           std::string_view field) {
  const std::chrono::seconds seconds(age.seconds());
  if (age.nanos() == 0 && seconds.count() >= 0 && seconds <= kAgeMax) return seconds;
  return WrongCase(fmt::format("{} is a number of seconds, such as \"600s\"", field));
}

// Facts with the strings that they borrow.
struct CaseFacts {
  std::string user;
  std::vector<std::string> groups;
  Facts facts;
};

absl::Status ReadDevice(const v1::PolicyTestCase& test, bool evaluates_trust, Facts& facts) {
  const bool names_platform = test.platform() != v1::PLATFORM_KIND_UNSPECIFIED;
  if (names_platform && !test.user_agent().empty()) {
    return WrongCase("give user_agent or platform, not both");
  }
  facts.claimed_platform = names_platform ? PlatformFromMessage(test.platform())
                                          : PlatformFromUserAgent(test.user_agent());
  const bool verified = test.verified_platform() != v1::PLATFORM_KIND_UNSPECIFIED;
  if (verified && test.trust() == v1::TRUST_STATE_UNSPECIFIED) {
    return WrongCase("verified_platform is of a certificate: give trust too");
  }
  if (verified) facts.verified_platform = PlatformFromMessage(test.verified_platform());
  facts.trust = !evaluates_trust                          ? Trust::kNotEvaluated
                : test.trust() == v1::TRUST_STATE_TRUSTED ? Trust::kTrusted
                                                          : Trust::kNotTrusted;
  return absl::OkStatus();
}

absl::Status ReadCase(const v1::PolicyTestCase& test, bool evaluates_trust, CaseFacts& known) {
  Facts& facts = known.facts;
  known.user = PersonKey(test.user());
  known.groups = {test.groups().begin(), test.groups().end()};
  facts.user_id = known.user;
  facts.principal = test.user();
  facts.groups = known.groups;
  if (!test.address().empty()) {
    facts.address = IpAddress::Parse(test.address());
    if (!facts.address) return WrongCase(fmt::format("no IP address: '{}'", test.address()));
  }
  facts.client = test.client() == v1::CLIENT_KIND_UNSPECIFIED ? ClientKind::kWebBrowser
                                                              : ClientFromMessage(test.client());
  DT_RETURN_IF_ERROR(ReadDevice(test, evaluates_trust, facts));
  DT_ASSIGN_OR_RETURN(const auto session_age, AgeOf(test.session_age(), "session_age"));
  facts.now = kTestTime;
  facts.authenticated_at = kTestTime - session_age;
  if (test.has_factor_age()) {
    DT_ASSIGN_OR_RETURN(const auto factor_age, AgeOf(test.factor_age(), "factor_age"));
    facts.factor_at = kTestTime - factor_age;
  }
  if (test.outcome() == v1::OUTCOME_UNSPECIFIED) {
    return WrongCase("the outcome is missing that it must come to");
  }
  return absl::OkStatus();
}

// "device trust: wants trusted, has not trusted".
std::string FirstUnmet(const RuleExplanation& rule) {
  for (const ConditionExplanation& condition : rule.conditions) {
    if (condition.matched) continue;
    return fmt::format("{}: wants {}, has {}", Name(condition.condition), condition.wanted,
                       condition.seen);
  }
  return "every condition holds";
}

std::string WhyAnotherRule(const CompiledPolicy& policy, const Facts& facts,
                           const Decision& decision, const std::string& expected) {
  const auto all = Explain(policy, facts, decision, {}, Scope::kAll);
  const auto wanted = std::ranges::find(all, expected, &RuleExplanation::name);
  if (wanted == all.end()) return fmt::format("the app has no rule '{}'", expected);
  if (!wanted->active) return fmt::format("rule '{}' is not active", expected);
  if (!wanted->holds) return fmt::format("rule '{}': {}", expected, FirstUnmet(*wanted));
  return fmt::format("rule '{}' stands before it and matches", policy.rule(decision.rule).name);
}

}  // namespace

absl::StatusOr<PolicyUnderTest> PolicyUnderTest::Compile(const v1::PolicyDocument& document) {
  PolicyUnderTest made;
  made.device_trust_ =
      document.settings().device_trust_enabled() &&
      (!document.settings().has_capability_enabled() || document.settings().capability_enabled());
  DT_ASSIGN_OR_RETURN(const std::vector<Zone> zones, ZonesFromMessages(document.zones()));
  for (const v1::App& app : document.apps()) {
    auto rules = RulesFromMessages(app.rules());
    if (!rules.ok()) return Annotate(rules.status(), fmt::format("app '{}'", app.id()));
    for (Rule& rule : *rules) FoldPeople(rule);
    auto policy = CompiledPolicy::Compile(*std::move(rules), KindOf(app), zones);
    if (!policy.ok()) return Annotate(policy.status(), fmt::format("app '{}'", app.id()));
    if (!made.apps_.emplace(app.id(), *std::move(policy)).second) {
      return WrongCase(fmt::format("app '{}' is there twice", app.id()));
    }
  }
  return made;
}

absl::StatusOr<TestVerdict> PolicyUnderTest::Run(const v1::PolicyTestCase& test) const {
  const auto app = apps_.find(test.app());
  if (app == apps_.end()) return WrongCase(fmt::format("the policy has no app '{}'", test.app()));
  const CompiledPolicy& policy = *app->second;
  CaseFacts known;
  DT_RETURN_IF_ERROR(ReadCase(test, device_trust_ && policy.uses_trust(), known));
  const Decision decision = policy.Evaluate(known.facts);
  TestVerdict verdict;
  verdict.outcome = ToMessage(decision.outcome);
  verdict.rule = policy.rule(decision.rule).name;
  const bool other_rule = !test.rule().empty() && test.rule() != verdict.rule;
  verdict.passed = verdict.outcome == test.outcome() && !other_rule;
  if (other_rule) {
    verdict.why = WhyAnotherRule(policy, known.facts, decision, test.rule());
  } else if (!verdict.passed) {
    verdict.why = fmt::format("rule '{}' makes of it: {}", verdict.rule, Name(decision.outcome));
  }
  return verdict;
}

absl::StatusOr<v1::ComparePoliciesResponse> PolicyUnderTest::Compare(
    const PolicyUnderTest& after, const std::string& app_id) const {
  const auto one = apps_.find(app_id);
  const auto other = after.apps_.find(app_id);
  if (one == apps_.end() || other == after.apps_.end()) {
    return absl::NotFoundError(fmt::format("app '{}' is not in both policies", app_id));
  }
  if (one->second->kind() != other->second->kind()) {
    return absl::FailedPreconditionError(
        fmt::format("app '{}' tells clients apart in one of the policies alone", app_id));
  }
  return ToMessage(*one->second, *other->second, policy::Compare(*one->second, *other->second));
}

}  // namespace devicetrust::policy
