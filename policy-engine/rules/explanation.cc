#include "policy-engine/rules/explanation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "libs/base/names.h"

namespace devicetrust::policy {
namespace {

struct WantedSeen {
  std::string wanted;
  std::string seen;
};

// At most ten of `list`: a rule may name thousands.
std::string Some(const std::vector<std::string>& list) {
  constexpr std::size_t kShown = 10;
  const std::span<const std::string> shown(list.data(), std::min(list.size(), kShown));
  std::string text = fmt::format("{}", fmt::join(shown, ", "));
  if (list.size() > kShown) text += fmt::format(" and {} more", list.size() - kShown);
  return text;
}

bool Holds(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

// The first of `wanted` that `have` holds, or null.
const std::string* FirstOf(std::span<const std::string> have,
                           const std::vector<std::string>& wanted) {
  for (const std::string& one : wanted) {
    const auto is_it = [&one](const std::string& name) { return SameName(name, one); };
    if (std::any_of(have.begin(), have.end(), is_it)) return &one;
  }
  return nullptr;
}

void Append(std::string& text, std::string_view what) {
  if (!text.empty()) text += "; ";
  text += what;
}

void AppendUsers(std::string& text, std::string_view before, std::size_t count) {
  if (count != 0) Append(text, fmt::format("{}{} user{}", before, count, count == 1 ? "" : "s"));
}

void AppendGroups(std::string& text, std::string_view what, const std::vector<std::string>& list) {
  if (!list.empty()) Append(text, fmt::format("{} {}", what, Some(list)));
}

WantedSeen People(const PeopleCondition& people, const Facts& facts) {
  WantedSeen result;
  if (people.everyone) result.wanted = "everyone";
  AppendUsers(result.wanted, "", people.users.size());
  AppendGroups(result.wanted, "groups", people.groups);
  AppendUsers(result.wanted, "except ", people.except_users.size());
  AppendGroups(result.wanted, "except groups", people.except_groups);

  const std::string who = !facts.principal.empty() ? std::string(facts.principal)
                          : !facts.user_id.empty() ? fmt::format("user {}", facts.user_id)
                                                   : "somebody";
  if (Holds(people.except_users, facts.user_id)) {
    result.seen = "a user that is excluded";
  } else if (const std::string* excluded = FirstOf(facts.groups, people.except_groups)) {
    result.seen = fmt::format("a member of {}, which is excluded", *excluded);
  } else if (people.everyone || Holds(people.users, facts.user_id)) {
    result.seen = people.everyone ? who : who + ", who is named";
  } else if (const std::string* group = FirstOf(facts.groups, people.groups)) {
    result.seen = fmt::format("a member of {}", *group);
  } else {
    result.seen = fmt::format("{}, {}", who,
                              people.groups.empty() ? "who is not named" : "in none of the groups");
  }
  return result;
}

std::string WantedLocation(const LocationCondition& location) {
  switch (location.kind) {
    case Location::kAnywhere:
      return "anywhere";
    case Location::kOnNetwork:
      return "on network";
    case Location::kOffNetwork:
      return "off network";
    case Location::kInZones:
      return fmt::format("in {}", Some(location.zones));
    case Location::kNotInZones:
      break;
  }
  return fmt::format("not in {}", Some(location.zones));
}

WantedSeen Place(const CompiledPolicy& policy, const LocationCondition& location,
                 const Facts& facts) {
  if (!facts.address) return {WantedLocation(location), "unknown address"};
  const std::vector<std::string_view> in = policy.ZonesOf(*facts.address);
  return {
      WantedLocation(location),
      fmt::format("{}, in {}", facts.address->ToString(),
                  in.empty() ? std::string("no zone") : fmt::format("{}", fmt::join(in, ", ")))};
}

WantedSeen Device(const PlatformSelection& platforms, const Facts& facts) {
  return {platforms.Describe(), fmt::format("{} ({})", Name(EffectivePlatform(facts)),
                                            facts.verified_platform ? "directory" : "user agent")};
}

WantedSeen DeviceTrust(const CompiledPolicy& policy, TrustCondition wanted, const Facts& facts,
                       std::string_view reason) {
  WantedSeen result;
  result.wanted = wanted == TrustCondition::kAny       ? "any"
                  : wanted == TrustCondition::kTrusted ? "trusted"
                                                       : "not trusted";
  result.seen = Name(facts.trust);
  if (facts.trust == Trust::kNotEvaluated) {
    result.seen += policy.uses_trust() ? " (Device Trust is off)" : " (no rule of the app asks)";
  }
  if (facts.trust == Trust::kNotTrusted && !reason.empty()) {
    result.seen += fmt::format(" ({})", reason);
  }
  return result;
}

WantedSeen Words(const CompiledPolicy& policy, const Rule& rule, const Facts& facts,
                 Condition condition, std::string_view trust_reason) {
  switch (condition) {
    case Condition::kPeople:
      return People(rule.people, facts);
    case Condition::kLocation:
      return Place(policy, rule.location, facts);
    case Condition::kClient:
      return {policy.kind() == AppKind::kOffice ? rule.clients.Describe() : "any",
              std::string(Name(facts.client))};
    case Condition::kPlatform:
      return Device(rule.platforms, facts);
    case Condition::kTrust:
      break;
  }
  return DeviceTrust(policy, rule.trust, facts, trust_reason);
}

}  // namespace

std::string_view Name(Condition condition) {
  switch (condition) {
    case Condition::kPeople:
      return "people";
    case Condition::kLocation:
      return "location";
    case Condition::kClient:
      return "client";
    case Condition::kPlatform:
      return "platform";
    case Condition::kTrust:
      break;
  }
  return "device trust";
}

std::string_view Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAllowed:
      return "allowed";
    case Outcome::kReauthenticate:
      return "re-authentication required";
    case Outcome::kFactorRequired:
      return "factor required";
    case Outcome::kDenied:
      break;
  }
  return "denied";
}

std::vector<RuleExplanation> Explain(const CompiledPolicy& policy, const Facts& facts,
                                     const Decision& decision, std::string_view trust_reason,
                                     Scope scope) {
  const std::size_t default_rule = policy.rules().size();
  const RuleSet holding = decision.AllHold();
  const std::size_t last = scope == Scope::kAll ? default_rule : decision.rule;
  std::vector<RuleExplanation> rules;
  for (std::size_t i = 0; i <= last; ++i) {
    const Rule& source = policy.rule(i);
    const bool holds = i == default_rule || holding.Has(i);
    rules.push_back({i + 1, source.name, source.active, source.report_only, holds,
                     i == decision.rule,
                     ExplainConditions(policy, facts, decision, i, trust_reason)});
  }
  return rules;
}

std::vector<ConditionExplanation> ExplainConditions(const CompiledPolicy& policy,
                                                    const Facts& facts, const Decision& decision,
                                                    std::size_t index,
                                                    std::string_view trust_reason) {
  const bool is_default = index == policy.rules().size();
  std::vector<ConditionExplanation> conditions;
  for (int c = 0; c < kConditionCount; ++c) {
    const auto condition = static_cast<Condition>(c);
    WantedSeen words = Words(policy, policy.rule(index), facts, condition, trust_reason);
    conditions.push_back({condition, is_default || decision.Holds(condition, index),
                          std::move(words.wanted), std::move(words.seen)});
  }
  return conditions;
}

}  // namespace devicetrust::policy
