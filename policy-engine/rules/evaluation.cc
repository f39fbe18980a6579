#include "policy-engine/rules/evaluation.h"

#include <utility>

namespace devicetrust::policy {
namespace {

// Clocks of two gateways may differ by this much; a time further in the future is no
// evidence of anything.
constexpr std::chrono::seconds kSkewMax{30};

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

}  // namespace

Outcome OutcomeOf(const Actions& actions, const Facts& facts) {
  if (!actions.allow) return Outcome::kDenied;
  if (actions.reauthenticate_after &&
      !IsFresh(facts.authenticated_at, *actions.reauthenticate_after, facts.now)) {
    return Outcome::kReauthenticate;
  }
  if (actions.prompt_for_factor && !FactorHolds(actions, facts)) return Outcome::kFactorRequired;
  return Outcome::kAllowed;
}

absl::StatusOr<std::shared_ptr<const CompiledPolicy>> CompiledPolicy::Compile(
    std::vector<Rule> rules, AppKind kind, std::span<const Zone> zones) {
  DT_RETURN_IF_ERROR(Validate(rules, kind));
  auto policy = std::make_shared<CompiledPolicy>();
  policy->kind_ = kind;
  policy->zones_.assign(zones.begin(), zones.end());
  policy->people_ = PeopleIndex(rules);
  DT_ASSIGN_OR_RETURN(policy->places_, PlaceIndex::Build(rules, zones));
  policy->rules_ = std::move(rules);
  policy->Index();
  return policy;
}

void CompiledPolicy::Index() {
  const auto add_where = [](auto& sets, std::size_t rule, const auto& holds) {
    for (std::size_t value = 0; value < sets.size(); ++value) {
      if (holds(value)) sets[value].Add(rule);
    }
  };
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (rule.active) active_.Add(i);
    if (rule.report_only) report_only_.Add(i);
    uses_trust_ = uses_trust_ || (rule.active && NamesTrust(rule));
    add_where(clients_, i, [&](std::size_t value) {
      return kind_ != AppKind::kOffice || rule.clients.Matches(static_cast<ClientKind>(value));
    });
    add_where(platforms_, i, [&](std::size_t value) {
      return rule.platforms.Matches(static_cast<Platform>(value));
    });
    add_where(trusts_, i, [&](std::size_t value) {
      return MatchesTrust(rule.trust, static_cast<Trust>(value));
    });
  }
}

Decision CompiledPolicy::Evaluate(const Facts& facts) const {
  Decision decision;
  decision.holds = {people_.Match(facts.user_id, facts.groups), places_.Match(facts.address),
                    Of(facts.client), Of(EffectivePlatform(facts)), Of(facts.trust)};
  const RuleSet all = decision.AllHold();
  decision.rule = (all & active_).First(rules_.size());
  decision.reported = all & report_only_ & RuleSet::FirstOnes(decision.rule);
  decision.outcome = OutcomeOf(rule(decision.rule).actions, facts);
  return decision;
}

std::vector<std::string_view> CompiledPolicy::ZonesOf(const IpAddress& address) const {
  std::vector<std::string_view> names;
  for (const Zone& zone : zones_) {
    if (zone.Contains(address)) names.push_back(zone.name());
  }
  return names;
}

}  // namespace devicetrust::policy
