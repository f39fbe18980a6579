// The evaluation of a sign-on: a pure function of an app's compiled rules and what is known of
// one sign-in (ADR 10). No clock, no store, no lock; everything that varies comes in as a value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "policy-engine/rules/network_zone.h"
#include "policy-engine/rules/people_index.h"
#include "policy-engine/rules/place_index.h"
#include "policy-engine/rules/rule_set.h"
#include "policy-engine/rules/rules.h"

namespace devicetrust::policy {

// What is known of one sign-in. Borrows its strings for the call.
struct Facts {
  std::string_view user_id;
  std::string_view principal;           // For those who read an explanation; no rule asks for it.
  std::span<const std::string> groups;  // Names, in any order and any case.
  std::optional<IpAddress> address;     // Of the client's socket; nullopt: unknown.
  ClientKind client = ClientKind::kUnknown;
  Platform claimed_platform = Platform::kUnknown;  // From the user agent.
  // Of a verified device certificate, as the directory records it: outranks the claim.
  // nullopt: no such certificate, or the directory records no system that we know.
  std::optional<Platform> verified_platform;
  Trust trust = Trust::kNotTrusted;

  WallTime now;
  WallTime authenticated_at;          // The password of this session.
  std::optional<WallTime> factor_at;  // The last factor in this session.
};

enum class Outcome : std::uint8_t {
  kDenied,
  kReauthenticate,  // Allowed once the user has given the password again.
  kFactorRequired,  // Allowed once a factor is shown.
  kAllowed,
};

enum class Condition : std::uint8_t { kPeople, kLocation, kClient, kPlatform, kTrust };
inline constexpr int kConditionCount = 5;

// Plain values: making, copying and reading one costs no memory.
struct Decision {
  Outcome outcome = Outcome::kDenied;
  std::size_t rule = 0;  // Index; rules().size() is the default rule.
  // The rules of which a condition holds, in force or not, before the deciding one or after it.
  std::array<RuleSet, kConditionCount> holds;
  // The report-only rules above the deciding one that match: each would have decided, were it
  // alone in force. They have no part in `outcome` and `rule`.
  RuleSet reported;

  bool Holds(Condition condition, std::size_t index) const {
    return holds[static_cast<std::size_t>(condition)].Has(index);
  }
  // The rules of which every condition holds.
  RuleSet AllHold() const {
    RuleSet all = holds[0];
    for (std::size_t i = 1; i < holds.size(); ++i) all &= holds[i];
    return all;
  }
};

// What a rule with these actions makes of a sign-in that it decides.
Outcome OutcomeOf(const Actions& actions, const Facts& facts);

// An app's rules, checked and laid out for evaluation: for each value of each condition the set of
// rules that it meets. Immutable and thread-safe; share it through a shared_ptr<const>.
class CompiledPolicy {
 public:
  // `rules`: best priority first, without the default rule. `zones`: the org's.
  // kInvalidArgument: as Validate(); or a rule names a zone that `zones` lacks.
  static absl::StatusOr<std::shared_ptr<const CompiledPolicy>> Compile(std::vector<Rule> rules,
                                                                       AppKind kind,
                                                                       std::span<const Zone> zones);

  // Exactly one rule decides, whatever the facts: the first active one whose conditions all
  // match, else the default rule. Unknown never matches Trusted. Allocates nothing; the cost grows
  // with the user's groups, hardly with the rules: some 100 ns.
  Decision Evaluate(const Facts& facts) const;

  const std::vector<Rule>& rules() const { return rules_; }
  AppKind kind() const { return kind_; }
  // rules()[index], or the default rule for index == rules().size().
  const Rule& rule(std::size_t index) const {
    return index < rules_.size() ? rules_[index] : DefaultRule();
  }
  // True when an active rule names trust: then a sign-in needs the device challenge. A report-only
  // rule asks for none.
  bool uses_trust() const { return uses_trust_; }
  const RuleSet& active() const { return active_; }
  const RuleSet& report_only() const { return report_only_; }
  // Names of the zones that hold `address`, in the org's order.
  std::vector<std::string_view> ZonesOf(const IpAddress& address) const;

  // The rules whose condition holds, for one value of each.
  const PeopleIndex& people() const { return people_; }
  const PlaceIndex& places() const { return places_; }
  const RuleSet& Of(ClientKind client) const { return clients_[static_cast<std::size_t>(client)]; }
  const RuleSet& Of(Platform platform) const {
    return platforms_[static_cast<std::size_t>(platform)];
  }
  const RuleSet& Of(Trust trust) const { return trusts_[static_cast<std::size_t>(trust)]; }

 private:
  void Index();

  AppKind kind_ = AppKind::kGeneric;
  bool uses_trust_ = false;
  std::vector<Rule> rules_;
  std::vector<Zone> zones_;
  RuleSet active_, report_only_;
  PeopleIndex people_;
  PlaceIndex places_;
  std::array<RuleSet, kClientKindCount + 1> clients_;  // By value, unknown included.
  std::array<RuleSet, kPlatformCount + 1> platforms_;
  std::array<RuleSet, kTrustCount> trusts_;
};

// The platform that counts: the verified one if there is one, else the claimed one.
inline Platform EffectivePlatform(const Facts& facts) {
  return facts.verified_platform.value_or(facts.claimed_platform);
}

}  // namespace devicetrust::policy
