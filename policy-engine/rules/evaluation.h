// The evaluation of a sign-on: a pure function of an app's compiled rules and what is known of
// one sign-in (ADR 10). No clock, no store, no lock; everything that varies comes in as a value.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/names.h"
#include "libs/base/status.h"
#include "policy-engine/rules/network_zone.h"
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

// How one rule met the facts.
struct RuleResult {
  bool active = true;
  std::uint8_t failed = 0;  // Bit i: Condition i did not match.
  bool Failed(Condition condition) const {
    return (failed & (1u << static_cast<unsigned>(condition))) != 0;
  }
  bool Matches() const { return active && failed == 0; }
};

struct Decision {
  Outcome outcome = Outcome::kDenied;
  std::size_t rule = 0;             // Index; rules.size() is the default rule.
  std::vector<RuleResult> results;  // Of the rules before the deciding one, in order.
};

// An app's rules, checked and laid out for evaluation. Immutable and thread-safe; share it
// through a shared_ptr<const>.
class CompiledPolicy {
 public:
  // `rules`: best priority first, without the default rule. `zones`: the org's.
  // kInvalidArgument: as Validate(); or a rule names a zone that `zones` lacks.
  static absl::StatusOr<std::shared_ptr<const CompiledPolicy>> Compile(std::vector<Rule> rules,
                                                                       AppKind kind,
                                                                       std::span<const Zone> zones);

  // Exactly one rule decides, whatever the facts: the first active one whose conditions all
  // match, else the default rule. Unknown never matches Trusted. Cost: below 2 us for a
  // handful of rules.
  Decision Evaluate(const Facts& facts) const;

  const std::vector<Rule>& rules() const { return rules_; }
  AppKind kind() const { return kind_; }
  // rules()[index], or the default rule for index == rules().size().
  const Rule& rule(std::size_t index) const {
    return index < rules_.size() ? rules_[index] : DefaultRule();
  }
  // True when an active rule names trust: then a sign-in needs the device challenge.
  bool uses_trust() const { return uses_trust_; }
  // Names of the zones that hold `address`, in the org's order.
  std::vector<std::string_view> ZonesOf(const IpAddress& address) const;

 private:
  // What the comparison of strings is reduced to.
  struct People {
    bool everyone = true;
    std::unordered_set<std::string> users;
    std::unordered_set<std::string> except_users;
    std::vector<std::uint32_t> groups;  // Numbers of group_numbers_.
    std::vector<std::uint32_t> except_groups;
  };
  struct Compiled {
    People people;
    std::vector<std::size_t> zones;  // Indexes into zones_; kNetworkZone for on/off network.
  };
  struct Membership;  // The facts' groups that any rule names.

  std::vector<std::uint32_t> NumberGroups(const std::vector<std::string>& groups);
  bool MatchesPeople(const People& people, const Facts& facts, const Membership& member) const;
  absl::StatusOr<std::vector<std::size_t>> FindZones(const Rule& rule) const;
  bool MatchesLocation(std::size_t rule, const Facts& facts) const;
  std::uint8_t FailedConditions(std::size_t rule, const Facts& facts,
                                const Membership& member) const;

  AppKind kind_ = AppKind::kGeneric;
  bool uses_trust_ = false;
  std::vector<Rule> rules_;
  std::vector<Compiled> compiled_;  // Beside rules_.
  std::vector<Zone> zones_;
  std::unordered_map<std::string, std::uint32_t, NameHash, NameEqual> group_numbers_;
};

// The platform that counts: the verified one if there is one, else the claimed one.
inline Platform EffectivePlatform(const Facts& facts) {
  return facts.verified_platform.value_or(facts.claimed_platform);
}

}  // namespace devicetrust::policy
