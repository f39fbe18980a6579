#include "policy-engine/rules/evaluation.h"

#include <fmt/format.h>

#include <algorithm>

namespace devicetrust::policy {
namespace {

// Clocks of two gateways may differ by this much; a time further in the future is no
// evidence of anything.
constexpr std::chrono::seconds kSkewMax{30};

constexpr std::uint8_t Bit(Condition condition) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(condition));
}

bool MatchesTrust(TrustCondition condition, Trust trust) {
  switch (condition) {
    case TrustCondition::kAny:
      return true;
    case TrustCondition::kTrusted:
      return trust == Trust::kTrusted;
    case TrustCondition::kNotTrusted:
      return trust == Trust::kNotTrusted;
  }
  return false;
}

// Whether something shown at `at` is not older than `lifetime`.
bool IsFresh(WallTime at, std::chrono::seconds lifetime, WallTime now) {
  return at <= now + kSkewMax && now - at < lifetime;
}

bool FactorHolds(const Actions& actions, const Facts& facts) {
  if (!facts.factor_at || *facts.factor_at > facts.now + kSkewMax) return false;
  switch (actions.factor_frequency) {
    case FactorFrequency::kOncePerSession:
      return true;
    case FactorFrequency::kEverySignOn:
      return false;
    case FactorFrequency::kEveryInterval:
      return IsFresh(*facts.factor_at, actions.factor_lifetime, facts.now);
  }
  return false;
}

Outcome OutcomeOf(const Actions& actions, const Facts& facts) {
  if (!actions.allow) return Outcome::kDenied;
  if (actions.reauthenticate_after &&
      !IsFresh(facts.authenticated_at, *actions.reauthenticate_after, facts.now)) {
    return Outcome::kReauthenticate;
  }
  if (actions.prompt_for_factor && !FactorHolds(actions, facts)) return Outcome::kFactorRequired;
  return Outcome::kAllowed;
}

}  // namespace

struct CompiledPolicy::Membership {
  std::vector<std::uint32_t> numbers;
  bool IsIn(const std::vector<std::uint32_t>& wanted) const {
    return std::any_of(wanted.begin(), wanted.end(), [this](std::uint32_t group) {
      return std::find(numbers.begin(), numbers.end(), group) != numbers.end();
    });
  }
};

absl::StatusOr<std::shared_ptr<const CompiledPolicy>> CompiledPolicy::Compile(
    std::vector<Rule> rules, AppKind kind, std::span<const Zone> zones) {
  DT_RETURN_IF_ERROR(Validate(rules, kind));
  auto policy = std::make_shared<CompiledPolicy>();
  policy->kind_ = kind;
  policy->zones_.assign(zones.begin(), zones.end());
  for (const Rule& rule : rules) {
    Compiled compiled;
    compiled.people.everyone = rule.people.everyone;
    compiled.people.users.insert(rule.people.users.begin(), rule.people.users.end());
    compiled.people.except_users.insert(rule.people.except_users.begin(),
                                        rule.people.except_users.end());
    compiled.people.groups = policy->NumberGroups(rule.people.groups);
    compiled.people.except_groups = policy->NumberGroups(rule.people.except_groups);
    DT_ASSIGN_OR_RETURN(compiled.zones, policy->FindZones(rule));
    policy->compiled_.push_back(std::move(compiled));
    policy->uses_trust_ = policy->uses_trust_ || (rule.active && NamesTrust(rule));
  }
  policy->rules_ = std::move(rules);
  return policy;
}

absl::StatusOr<std::vector<std::size_t>> CompiledPolicy::FindZones(const Rule& rule) const {
  std::vector<std::string> names = rule.location.zones;
  const bool network =
      rule.location.kind == Location::kOnNetwork || rule.location.kind == Location::kOffNetwork;
  if (network) names = {std::string(kNetworkZone)};
  std::vector<std::size_t> found;
  for (const std::string& name : names) {
    const auto zone = std::find_if(zones_.begin(), zones_.end(),
                                   [&name](const Zone& known) { return known.name() == name; });
    if (zone != zones_.end()) {
      found.push_back(static_cast<std::size_t>(zone - zones_.begin()));
    } else {
      return absl::InvalidArgumentError(
          fmt::format("rule '{}': location: there is no network zone '{}'", rule.name, name));
    }
  }
  return found;
}

std::vector<std::uint32_t> CompiledPolicy::NumberGroups(const std::vector<std::string>& groups) {
  std::vector<std::uint32_t> numbers;
  for (const std::string& group : groups) {
    const auto next = static_cast<std::uint32_t>(group_numbers_.size());
    numbers.push_back(group_numbers_.emplace(group, next).first->second);
  }
  return numbers;
}

Decision CompiledPolicy::Evaluate(const Facts& facts) const {
  Membership member;
  if (!group_numbers_.empty()) {
    for (const std::string& group : facts.groups) {
      const auto known = group_numbers_.find(group);
      if (known != group_numbers_.end()) member.numbers.push_back(known->second);
    }
  }
  Decision decision;
  decision.rule = rules_.size();
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const RuleResult result{rules_[i].active, FailedConditions(i, facts, member)};
    if (result.Matches()) {
      decision.rule = i;
      break;
    }
    if (decision.results.empty()) decision.results.reserve(rules_.size());
    decision.results.push_back(result);
  }
  decision.outcome = OutcomeOf(rule(decision.rule).actions, facts);
  return decision;
}

// All of them, not up to the first: an explanation names each.
std::uint8_t CompiledPolicy::FailedConditions(std::size_t index, const Facts& facts,
                                              const Membership& member) const {
  const Rule& rule = rules_[index];
  unsigned failed = 0;
  if (!MatchesPeople(compiled_[index].people, facts, member)) failed |= Bit(Condition::kPeople);
  if (!MatchesLocation(index, facts)) failed |= Bit(Condition::kLocation);
  if (kind_ == AppKind::kOffice && !rule.clients.Matches(facts.client)) {
    failed |= Bit(Condition::kClient);
  }
  if (!rule.platforms.Matches(EffectivePlatform(facts))) failed |= Bit(Condition::kPlatform);
  if (!MatchesTrust(rule.trust, facts.trust)) failed |= Bit(Condition::kTrust);
  return static_cast<std::uint8_t>(failed);
}

bool CompiledPolicy::MatchesPeople(const People& people, const Facts& facts,
                                   const Membership& member) const {
  const bool plain = people.everyone && people.except_users.empty() && people.except_groups.empty();
  if (plain) return true;
  const std::string user(facts.user_id);
  if (people.except_users.contains(user) || member.IsIn(people.except_groups)) return false;
  return people.everyone || people.users.contains(user) || member.IsIn(people.groups);
}

bool CompiledPolicy::MatchesLocation(std::size_t rule, const Facts& facts) const {
  const Location kind = rules_[rule].location.kind;
  if (kind == Location::kAnywhere) return true;
  const std::vector<std::size_t>& zones = compiled_[rule].zones;
  const bool inside =
      facts.address && std::any_of(zones.begin(), zones.end(), [&](std::size_t zone) {
        return zones_[zone].Contains(*facts.address);
      });
  return inside == (kind == Location::kOnNetwork || kind == Location::kInZones);
}

std::vector<std::string_view> CompiledPolicy::ZonesOf(const IpAddress& address) const {
  std::vector<std::string_view> names;
  for (const Zone& zone : zones_) {
    if (zone.Contains(address)) names.push_back(zone.name());
  }
  return names;
}

}  // namespace devicetrust::policy
