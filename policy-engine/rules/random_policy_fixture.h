// Random small policies and sign-ins, and the rules' meaning once more, as it is written down and
// without anything clever: what the compiled evaluation and the analysis are compared with.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "libs/base/names.h"
#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy::random_policy {

inline constexpr WallTime kNow{std::chrono::sys_days{std::chrono::year{2026} / 6 / 1}};
inline const std::vector<std::string> kUsers = {"u1", "u2", "u3"};  // u3 is named by no rule.
inline const std::vector<std::string> kGroups = {"g1", "g2", "g3", "g4"};

inline std::vector<Zone> Zones() {
  return {Zone::Compile({"network", {"10.0.0.0/8", "fd00::/8"}}).value(),
          Zone::Compile({"branch", {"10.1.0.0/16", "192.0.2.0/24"}}).value(),
          Zone::Compile({"v6", {"::/0"}}).value(),
          Zone::Compile({"edge", {"255.255.255.255", "0.0.0.0", "fd00::1-fd00::5"}}).value()};
}

// One of each interval that the zones make, and the ends of some.
inline std::vector<std::optional<IpAddress>> Addresses() {
  std::vector<std::optional<IpAddress>> addresses = {std::nullopt};
  for (const char* const text : {"0.0.0.0",
                                 "0.0.0.1",
                                 "9.255.255.255",
                                 "10.0.0.0",
                                 "10.0.9.9",
                                 "10.1.0.0",
                                 "10.1.255.255",
                                 "10.2.0.0",
                                 "11.0.0.0",
                                 "192.0.2.0",
                                 "192.0.2.255",
                                 "192.0.3.0",
                                 "255.255.255.254",
                                 "255.255.255.255",
                                 "::",
                                 "::1",
                                 "fcff::1",
                                 "fd00::",
                                 "fd00::1",
                                 "fd00::5",
                                 "fd00::6",
                                 "fdff::1",
                                 "fe00::",
                                 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                 "::fffe:ffff:ffff"}) {
    addresses.push_back(IpAddress::Parse(text).value());
  }
  return addresses;
}

template <typename T, int Count>
Selection<T, Count> RandomSelection(std::mt19937_64& random) {
  if (random() % 3 == 0) return Selection<T, Count>::All();
  Selection<T, Count> selection;
  do {
    selection.Add(static_cast<T>(1 + random() % Count));
  } while (random() % 2 == 0);
  return selection;
}

inline std::vector<std::string> Some(std::mt19937_64& random, const std::vector<std::string>& of,
                                     std::size_t one_in) {
  std::vector<std::string> some;
  for (const std::string& name : of) {
    if (random() % one_in == 0) some.push_back(name);
  }
  return some;
}

inline PeopleCondition RandomPeople(std::mt19937_64& random) {
  PeopleCondition people;
  people.everyone = random() % 2 == 0;
  if (!people.everyone) {
    people.users = Some(random, {"u1", "u2"}, 3);
    people.groups = Some(random, kGroups, 2);
    if (people.users.empty() && people.groups.empty()) people.everyone = true;
  }
  if (random() % 3 == 0) people.except_users = Some(random, {"u1", "u2"}, 3);
  if (random() % 2 == 0) people.except_groups = Some(random, kGroups, 3);
  return people;
}

inline LocationCondition RandomLocation(std::mt19937_64& random) {
  LocationCondition location;
  location.kind = static_cast<Location>(random() % 5);
  if (location.kind >= Location::kInZones) {
    location.zones = Some(random, {"network", "branch", "v6", "edge"}, 2);
    if (location.zones.empty()) location.zones = {"branch"};
  }
  return location;
}

inline Actions RandomActions(std::mt19937_64& random) {
  Actions actions;
  actions.allow = random() % 2 == 0;
  actions.prompt_for_factor = actions.allow && random() % 2 == 0;
  if (actions.prompt_for_factor) {
    actions.factor_frequency = static_cast<FactorFrequency>(random() % 3);
    if (actions.factor_frequency == FactorFrequency::kEveryInterval) {
      actions.factor_lifetime = std::chrono::minutes(10 + 10 * (random() % 2));
    }
  }
  if (random() % 4 == 0) {
    actions.reauthenticate_after = std::chrono::minutes(15 + 15 * (random() % 2));
  }
  return actions;
}

// Valid for `kind`.
inline Rule RandomRule(std::mt19937_64& random, AppKind kind, std::size_t number) {
  Rule rule;
  rule.name = "rule " + std::to_string(number);
  rule.active = random() % 6 != 0;
  rule.report_only = !rule.active && random() % 2 == 0;
  if (random() % 2 == 0) rule.people = RandomPeople(random);
  if (random() % 2 == 0) rule.location = RandomLocation(random);
  rule.clients = RandomSelection<ClientKind, kClientKindCount>(random);
  rule.platforms = RandomSelection<Platform, kPlatformCount>(random);
  if (random() % 2 == 0) {  // What POL-3 lets a rule with trust select.
    rule.trust = random() % 2 == 0 ? TrustCondition::kTrusted : TrustCondition::kNotTrusted;
    rule.clients = {ClientKind::kWebBrowser, ClientKind::kModernAuth};
    rule.platforms = {};
    for (const auto one : {Platform::kIos, Platform::kAndroid, Platform::kMacos}) {
      if (random() % 2 == 0) rule.platforms.Add(one);
    }
    if (rule.platforms.IsEmpty() || random() % 2 == 0) rule.platforms.Add(Platform::kWindows);
  }
  if (kind == AppKind::kGeneric) rule.clients = ClientSelection::All();
  rule.actions = RandomActions(random);
  return rule;
}

inline std::vector<Rule> RandomRules(std::mt19937_64& random, AppKind kind, std::size_t count_max) {
  std::vector<Rule> rules;
  const std::size_t count = random() % (count_max + 1);
  for (std::size_t i = 0; i < count; ++i) rules.push_back(RandomRule(random, kind, i));
  return rules;
}

// What one rule says, read word by word.
class Oracle {
 public:
  explicit Oracle(AppKind kind) : kind_(kind), zones_(Zones()) {}

  bool Matches(const Rule& rule, const Facts& facts) const {
    return People(rule.people, facts) && Place(rule.location, facts) &&
           (kind_ == AppKind::kGeneric || rule.clients.Matches(facts.client)) &&
           rule.platforms.Matches(EffectivePlatform(facts)) &&
           (rule.trust == TrustCondition::kAny ||
            (rule.trust == TrustCondition::kTrusted && facts.trust == Trust::kTrusted) ||
            (rule.trust == TrustCondition::kNotTrusted && facts.trust == Trust::kNotTrusted));
  }
  // The index; the number of rules for the default rule.
  std::size_t Decide(const std::vector<Rule>& rules, const Facts& facts) const {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (rules[i].active && Matches(rules[i], facts)) return i;
    }
    return rules.size();
  }

 private:
  static bool Has(const std::vector<std::string>& list, std::string_view wanted) {
    return std::any_of(list.begin(), list.end(),
                       [wanted](const std::string& one) { return one == wanted; });
  }
  static bool InOneOf(const std::vector<std::string>& list, const Facts& facts) {
    return std::any_of(list.begin(), list.end(), [&facts](const std::string& wanted) {
      return std::any_of(facts.groups.begin(), facts.groups.end(),
                         [&wanted](const std::string& in) { return SameName(wanted, in); });
    });
  }
  static bool People(const PeopleCondition& people, const Facts& facts) {
    if (Has(people.except_users, facts.user_id)) return false;
    if (InOneOf(people.except_groups, facts)) return false;
    return people.everyone || Has(people.users, facts.user_id) || InOneOf(people.groups, facts);
  }
  bool InZone(std::string_view name, const Facts& facts) const {
    return facts.address && std::any_of(zones_.begin(), zones_.end(), [&](const Zone& zone) {
             return zone.name() == name && zone.Contains(*facts.address);
           });
  }
  bool Place(const LocationCondition& location, const Facts& facts) const {
    const auto in_one = [&] {
      return std::any_of(location.zones.begin(), location.zones.end(),
                         [&](const std::string& zone) { return InZone(zone, facts); });
    };
    switch (location.kind) {
      case Location::kAnywhere:
        return true;
      case Location::kOnNetwork:
        return InZone(kNetworkZone, facts);
      case Location::kOffNetwork:
        return !InZone(kNetworkZone, facts);
      case Location::kInZones:
        return in_one();
      case Location::kNotInZones:
        break;
    }
    return !in_one();
  }

  AppKind kind_;
  std::vector<Zone> zones_;
};

}  // namespace devicetrust::policy::random_policy
