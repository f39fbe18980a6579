#include "policy-engine/rules/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "libs/base/ascii.h"

namespace devicetrust::policy {
namespace {

absl::Status RuleError(const Rule& rule, std::string_view what) {
  return absl::InvalidArgumentError(
      fmt::format("rule '{}': {}", std::string_view(rule.name).substr(0, kRuleNameBytesMax), what));
}

absl::Status ValidateName(const Rule& rule) {
  const std::string& name = rule.name;
  const bool blank = std::all_of(name.begin(), name.end(), [](char c) { return c == ' '; });
  if (blank) return absl::InvalidArgumentError("rule name is empty: give the rule a name");
  if (HasControl(name) || name.size() > kRuleNameBytesMax) {
    return absl::InvalidArgumentError(fmt::format(
        "rule name must be 1 to {} bytes without control characters", kRuleNameBytesMax));
  }
  return absl::OkStatus();
}

absl::Status ValidatePeople(const Rule& rule) {
  const PeopleCondition& people = rule.people;
  const bool somebody = !people.users.empty() || !people.groups.empty();
  if (people.everyone && somebody) {
    return RuleError(rule, "people: either everyone or chosen users and groups, not both");
  }
  if (!people.everyone && !somebody) {
    return RuleError(rule,
                     "people: nobody is selected, so it could never match; select everyone, "
                     "users or groups");
  }
  for (const auto* list :
       {&people.users, &people.groups, &people.except_users, &people.except_groups}) {
    if (list->size() > kPeoplePerRuleMax) {
      return RuleError(rule, fmt::format("people: at most {} users or groups a list, use a group",
                                         kPeoplePerRuleMax));
    }
    if (std::any_of(list->begin(), list->end(), [](const auto& id) { return id.empty(); })) {
      return RuleError(rule, "people: an id is empty");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateLocation(const Rule& rule) {
  const bool wants_zones =
      rule.location.kind == Location::kInZones || rule.location.kind == Location::kNotInZones;
  if (wants_zones && rule.location.zones.empty()) {
    return RuleError(rule, "location: select at least one network zone");
  }
  if (!wants_zones && !rule.location.zones.empty()) {
    return RuleError(rule, "location: zones are given but the location is not one of zones");
  }
  return absl::OkStatus();
}

// Without clients to tell apart, a stored selection would look like a promise.
absl::Status ValidateClients(const Rule& rule, AppKind kind) {
  if (kind == AppKind::kGeneric && !rule.clients.IsAll()) {
    return RuleError(rule, "client: this kind of app does not tell clients apart; select all");
  }
  if (rule.clients.IsEmpty()) {
    return RuleError(rule, "client: none is selected, so it could never match");
  }
  return absl::OkStatus();
}

absl::Status ValidateTrust(const Rule& rule, AppKind kind) {
  if (!NamesTrust(rule)) return absl::OkStatus();
  std::string in_the_way;
  const auto note = [&in_the_way](std::string_view name) {
    if (!in_the_way.empty()) in_the_way += ", ";
    in_the_way += name;
  };
  if (kind == AppKind::kOffice && rule.clients.Has(ClientKind::kLegacyAuth)) {
    note(Name(ClientKind::kLegacyAuth));
  }
  for (const Platform platform : {Platform::kOtherMobile, Platform::kOtherDesktop}) {
    if (rule.platforms.Has(platform)) note(Name(platform));
  }
  if (in_the_way.empty()) return absl::OkStatus();
  return RuleError(
      rule, fmt::format("device trust: Trusted and Not trusted are selectable only when {} {} not "
                        "selected, since no certificate can be asked of them; unselect, or choose "
                        "Any",
                        in_the_way, in_the_way.find(',') == std::string::npos ? "is" : "are"));
}

bool InRange(std::chrono::seconds interval) {
  return interval >= kIntervalMin && interval <= kIntervalMax;
}

absl::Status ValidateActions(const Rule& rule) {
  const Actions& actions = rule.actions;
  if (!actions.allow && actions.prompt_for_factor) {
    return RuleError(rule,
                     "access: a denied sign-in can't prompt for a factor; choose Allowed or "
                     "remove the prompt");
  }
  const bool interval = actions.factor_frequency == FactorFrequency::kEveryInterval;
  if (interval && !InRange(actions.factor_lifetime)) {
    return RuleError(rule, "factor lifetime: it must be 1 minute to 30 days");
  }
  if (!interval && actions.factor_lifetime.count() != 0) {
    return RuleError(rule, "factor lifetime: given, but the frequency is not 'every interval'");
  }
  if (actions.reauthenticate_after && !InRange(*actions.reauthenticate_after)) {
    return RuleError(rule, "re-authentication: the interval must be 1 minute to 30 days");
  }
  return absl::OkStatus();
}

}  // namespace

const Rule& DefaultRule() {
  static const Rule* const kRule = [] {
    auto* rule = new Rule;  // Never destroyed: threads may still evaluate at exit.
    rule->name = "Default sign-on rule";
    return rule;
  }();
  return *kRule;
}

absl::Status Validate(const Rule& rule, AppKind kind) {
  DT_RETURN_IF_ERROR(ValidateName(rule));
  if (rule.active && rule.report_only) {
    return RuleError(
        rule, "mode: it is active and report-only at once; a report-only rule is not active");
  }
  DT_RETURN_IF_ERROR(ValidatePeople(rule));
  DT_RETURN_IF_ERROR(ValidateLocation(rule));
  DT_RETURN_IF_ERROR(ValidateClients(rule, kind));
  if (rule.platforms.IsEmpty()) {
    return RuleError(rule, "platform: none is selected, so it could never match");
  }
  DT_RETURN_IF_ERROR(ValidateTrust(rule, kind));
  return ValidateActions(rule);
}

absl::Status Validate(const std::vector<Rule>& rules, AppKind kind) {
  if (rules.size() > kRulesPerAppMax) {
    return absl::InvalidArgumentError(fmt::format("an app has at most {} rules", kRulesPerAppMax));
  }
  std::set<std::string_view> names = {DefaultRule().name};
  for (const Rule& rule : rules) {
    DT_RETURN_IF_ERROR(Validate(rule, kind));
    if (!names.insert(rule.name).second) {
      return RuleError(rule, "another rule of this app has this name; choose another");
    }
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
