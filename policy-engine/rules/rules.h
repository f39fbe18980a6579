// An app's sign-on rules as an administrator writes them, and what makes one valid.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "policy-engine/rules/conditions.h"

namespace devicetrust::policy {

// Only an Office-365-like app tells clients apart; elsewhere the client condition does not
// exist and every client matches.
enum class AppKind : std::uint8_t { kGeneric, kOffice };

// An exclusion wins over whatever includes. Ids as the org knows its users; groups compare as names
// do in the directory (libs/base/names.h).
struct PeopleCondition {
  bool everyone = true;             // Else the listed users and members of the groups.
  std::vector<std::string> users;   // User ids.
  std::vector<std::string> groups;  // Names.
  std::vector<std::string> except_users;
  std::vector<std::string> except_groups;
};

// On network: in the zone kNetworkZone. Off network and not in zones: everywhere else, an
// unknown address included, since nothing shows that it is inside.
enum class Location : std::uint8_t { kAnywhere, kOnNetwork, kOffNetwork, kInZones, kNotInZones };

struct LocationCondition {
  Location kind = Location::kAnywhere;
  std::vector<std::string> zones;  // Names; at least one with kInZones, kNotInZones, else none.
};

enum class TrustCondition : std::uint8_t { kAny, kTrusted, kNotTrusted };

// How often a rule that prompts for a factor asks for it.
enum class FactorFrequency : std::uint8_t { kOncePerSession, kEverySignOn, kEveryInterval };

inline constexpr std::chrono::seconds kIntervalMin = std::chrono::minutes{1};
inline constexpr std::chrono::seconds kIntervalMax = std::chrono::days{30};

struct Actions {
  bool allow = true;
  bool prompt_for_factor = false;  // Only with allow.
  FactorFrequency factor_frequency = FactorFrequency::kOncePerSession;
  std::chrono::seconds factor_lifetime{0};  // kIntervalMin to kIntervalMax with kEveryInterval.
  // A session whose password is older signs in again; kIntervalMin to kIntervalMax.
  std::optional<std::chrono::seconds> reauthenticate_after;
};

// The defaults are those of the form for a new rule: active, everybody, anywhere, all
// clients and platforms preselected, any trust, allowed.
struct Rule {
  std::string name;  // Unique in the app.
  bool active = true;
  // Evaluated for the log only: decides nothing, asks for nothing. Only when not active.
  bool report_only = false;
  PeopleCondition people;
  LocationCondition location;
  ClientSelection clients = ClientSelection::All();
  PlatformSelection platforms = PlatformSelection::All();
  TrustCondition trust = TrustCondition::kAny;
  Actions actions;
};

inline constexpr std::size_t kRuleNameBytesMax = 128;
inline constexpr std::size_t kRulesPerAppMax = 200;
inline constexpr std::size_t kPeoplePerRuleMax = 5000;  // Users and groups, each list.

// The rule that every app has, is last, allows, and can't be edited, moved or removed.
const Rule& DefaultRule();

// True when the rule's outcome depends on whether the device is trusted.
inline bool NamesTrust(const Rule& rule) { return rule.trust != TrustCondition::kAny; }

// Checks one rule on its own. OK means: it may be stored, and it can match somebody.
//
// kInvalidArgument, with a message that names the field and the remedy:
//   - Trusted or Not trusted together with Exchange ActiveSync/legacy auth, other mobile or
//     other desktop (POL-3); no certificate can be asked of those;
//   - no person, client or platform selected; zones missing or not wanted; a client selection
//     for an app kind without clients; a factor prompt with "denied"; an interval out of range;
//   - active and report-only at once;
//   - a name that is empty, blank, too long, or holds control characters.
absl::Status Validate(const Rule& rule, AppKind kind);

// Checks an app's rules together, best priority first: each valid, names unique
// (the default rule's included), at most kRulesPerAppMax.
absl::Status Validate(const std::vector<Rule>& rules, AppKind kind);

}  // namespace devicetrust::policy
