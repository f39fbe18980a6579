#include "policy-engine/rules_wire/rule_messages.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>

#include "policy-engine/rules/explanation.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

absl::Status MessageError(const v1::Rule& rule, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format(
      "rule '{}': {}", std::string_view(rule.name()).substr(0, kRuleNameBytesMax), what));
}

std::vector<std::string> ToVector(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

PeopleCondition PeopleFromMessage(const v1::Rule& rule) {
  PeopleCondition people;
  if (!rule.has_people()) return people;
  const v1::PeopleCondition& message = rule.people();
  people.everyone = message.everyone();
  people.users = ToVector(message.user_ids());
  people.groups = ToVector(message.groups());
  people.except_users = ToVector(message.excluded_user_ids());
  people.except_groups = ToVector(message.excluded_groups());
  return people;
}

absl::StatusOr<LocationCondition> LocationFromMessage(const v1::Rule& rule) {
  LocationCondition location;
  location.zones = ToVector(rule.location().zones());
  switch (rule.location().kind()) {
    case v1::LocationCondition::KIND_UNSPECIFIED:
    case v1::LocationCondition::KIND_ANYWHERE:
      location.kind = Location::kAnywhere;
      return location;
    case v1::LocationCondition::KIND_ON_NETWORK:
      location.kind = Location::kOnNetwork;
      return location;
    case v1::LocationCondition::KIND_OFF_NETWORK:
      location.kind = Location::kOffNetwork;
      return location;
    case v1::LocationCondition::KIND_IN_ZONES:
      location.kind = Location::kInZones;
      return location;
    case v1::LocationCondition::KIND_NOT_IN_ZONES:
      location.kind = Location::kNotInZones;
      return location;
    default:
      return MessageError(rule, "location: unknown kind");
  }
}

absl::StatusOr<TrustCondition> TrustConditionFromMessage(const v1::Rule& rule) {
  switch (rule.trust()) {
    case v1::TRUST_CONDITION_UNSPECIFIED:
    case v1::TRUST_CONDITION_ANY:
      return TrustCondition::kAny;
    case v1::TRUST_CONDITION_TRUSTED:
      return TrustCondition::kTrusted;
    case v1::TRUST_CONDITION_NOT_TRUSTED:
      return TrustCondition::kNotTrusted;
    default:
      return MessageError(rule, "device trust: unknown value");
  }
}

absl::StatusOr<std::chrono::seconds> Interval(const v1::Rule& rule,
                                              const google::protobuf::Duration& duration,
                                              std::string_view field) {
  if (duration.nanos() != 0) return MessageError(rule, fmt::format("{}: whole seconds", field));
  return std::chrono::seconds(duration.seconds());
}

absl::StatusOr<Actions> ActionsFromMessage(const v1::Rule& rule) {
  const v1::Action& message = rule.action();
  Actions actions;
  switch (message.access()) {
    case v1::Action::ACCESS_ALLOWED:
      actions.allow = true;
      break;
    case v1::Action::ACCESS_DENIED:
      actions.allow = false;
      break;
    default:
      return MessageError(rule, "action: access must be ACCESS_ALLOWED or ACCESS_DENIED");
  }
  actions.prompt_for_factor = message.prompt_for_factor();
  switch (message.factor_frequency()) {
    case v1::FACTOR_FREQUENCY_UNSPECIFIED:
    case v1::FACTOR_FREQUENCY_ONCE_PER_SESSION:
      actions.factor_frequency = FactorFrequency::kOncePerSession;
      break;
    case v1::FACTOR_FREQUENCY_EVERY_SIGN_ON:
      actions.factor_frequency = FactorFrequency::kEverySignOn;
      break;
    case v1::FACTOR_FREQUENCY_EVERY_INTERVAL:
      actions.factor_frequency = FactorFrequency::kEveryInterval;
      break;
    default:
      return MessageError(rule, "factor frequency: unknown value");
  }
  if (message.has_factor_lifetime()) {
    DT_ASSIGN_OR_RETURN(actions.factor_lifetime,
                        Interval(rule, message.factor_lifetime(), "factor lifetime"));
  }
  if (message.has_reauthenticate_after()) {
    DT_ASSIGN_OR_RETURN(actions.reauthenticate_after,
                        Interval(rule, message.reauthenticate_after(), "re-authentication"));
  }
  return actions;
}

}  // namespace

absl::StatusOr<Rule> RuleFromMessage(const v1::Rule& message) {
  if (message.is_default()) {
    return MessageError(message, "the default rule can't be edited; leave it out");
  }
  Rule rule;
  rule.name = message.name();
  rule.active = message.active();
  rule.report_only = message.report_only();
  rule.people = PeopleFromMessage(message);
  DT_ASSIGN_OR_RETURN(rule.location, LocationFromMessage(message));
  DT_ASSIGN_OR_RETURN(rule.trust, TrustConditionFromMessage(message));
  DT_ASSIGN_OR_RETURN(rule.actions, ActionsFromMessage(message));

  if (message.clients_size() > 0) rule.clients = {};
  for (const int client : message.clients()) {
    const ClientKind kind = ClientFromMessage(static_cast<v1::ClientKind>(client));
    if (kind == ClientKind::kUnknown) return MessageError(message, "client: unknown value");
    rule.clients.Add(kind);
  }
  if (message.platforms_size() > 0) rule.platforms = {};
  for (const int platform : message.platforms()) {
    const Platform kind = PlatformFromMessage(static_cast<v1::PlatformKind>(platform));
    if (kind == Platform::kUnknown) return MessageError(message, "platform: unknown value");
    rule.platforms.Add(kind);
  }
  return rule;
}

absl::StatusOr<std::vector<Rule>> RulesFromMessages(
    const google::protobuf::RepeatedPtrField<v1::Rule>& messages) {
  std::vector<Rule> rules;
  for (const v1::Rule& message : messages) {
    DT_ASSIGN_OR_RETURN(Rule rule, RuleFromMessage(message));
    rules.push_back(std::move(rule));
  }
  return rules;
}

v1::Rule DefaultRuleMessage() {
  v1::Rule message;
  message.set_name(DefaultRule().name);
  message.set_active(true);
  message.set_is_default(true);
  message.mutable_people()->set_everyone(true);
  message.mutable_action()->set_access(v1::Action::ACCESS_ALLOWED);
  return message;
}

absl::StatusOr<std::vector<Zone>> ZonesFromMessages(
    const google::protobuf::RepeatedPtrField<v1::Zone>& messages) {
  std::vector<Zone> zones;
  std::set<std::string> names;
  for (const v1::Zone& message : messages) {
    if (!names.insert(message.name()).second) {
      return absl::InvalidArgumentError(fmt::format("two zones are named '{}'", message.name()));
    }
    DT_ASSIGN_OR_RETURN(Zone zone, Zone::Compile({message.name(), ToVector(message.cidr())}));
    zones.push_back(std::move(zone));
  }
  return zones;
}

Platform PlatformFromMessage(v1::PlatformKind platform) {
  switch (platform) {
    case v1::PLATFORM_KIND_IOS:
      return Platform::kIos;
    case v1::PLATFORM_KIND_ANDROID:
      return Platform::kAndroid;
    case v1::PLATFORM_KIND_OTHER_MOBILE:
      return Platform::kOtherMobile;
    case v1::PLATFORM_KIND_WINDOWS:
      return Platform::kWindows;
    case v1::PLATFORM_KIND_MACOS:
      return Platform::kMacos;
    case v1::PLATFORM_KIND_OTHER_DESKTOP:
      return Platform::kOtherDesktop;
    default:
      return Platform::kUnknown;
  }
}

v1::PlatformKind ToMessage(Platform platform) {
  switch (platform) {
    case Platform::kIos:
      return v1::PLATFORM_KIND_IOS;
    case Platform::kAndroid:
      return v1::PLATFORM_KIND_ANDROID;
    case Platform::kOtherMobile:
      return v1::PLATFORM_KIND_OTHER_MOBILE;
    case Platform::kWindows:
      return v1::PLATFORM_KIND_WINDOWS;
    case Platform::kMacos:
      return v1::PLATFORM_KIND_MACOS;
    case Platform::kOtherDesktop:
      return v1::PLATFORM_KIND_OTHER_DESKTOP;
    case Platform::kUnknown:
      break;
  }
  return v1::PLATFORM_KIND_UNSPECIFIED;
}

ClientKind ClientFromMessage(v1::ClientKind client) {
  switch (client) {
    case v1::CLIENT_KIND_WEB_BROWSER:
      return ClientKind::kWebBrowser;
    case v1::CLIENT_KIND_MODERN_AUTH:
      return ClientKind::kModernAuth;
    case v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY:
      return ClientKind::kLegacyAuth;
    default:
      return ClientKind::kUnknown;
  }
}

v1::ClientKind ToMessage(ClientKind client) {
  switch (client) {
    case ClientKind::kWebBrowser:
      return v1::CLIENT_KIND_WEB_BROWSER;
    case ClientKind::kModernAuth:
      return v1::CLIENT_KIND_MODERN_AUTH;
    case ClientKind::kLegacyAuth:
      return v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY;
    case ClientKind::kUnknown:
      break;
  }
  return v1::CLIENT_KIND_UNSPECIFIED;
}

v1::TrustState ToMessage(Trust trust) {
  switch (trust) {
    case Trust::kTrusted:
      return v1::TRUST_STATE_TRUSTED;
    case Trust::kNotTrusted:
      return v1::TRUST_STATE_NOT_TRUSTED;
    case Trust::kNotEvaluated:
      break;
  }
  return v1::TRUST_STATE_UNSPECIFIED;
}

Trust TrustFromMessage(v1::TrustState trust) {
  switch (trust) {
    case v1::TRUST_STATE_TRUSTED:
      return Trust::kTrusted;
    case v1::TRUST_STATE_UNSPECIFIED:
      return Trust::kNotEvaluated;
    default:
      return Trust::kNotTrusted;
  }
}

v1::Outcome ToMessage(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAllowed:
      return v1::OUTCOME_ALLOWED;
    case Outcome::kFactorRequired:
      return v1::OUTCOME_FACTOR_REQUIRED;
    case Outcome::kReauthenticate:
      return v1::OUTCOME_REAUTHENTICATION_REQUIRED;
    case Outcome::kDenied:
      break;
  }
  return v1::OUTCOME_DENIED;
}

void AddTrace(const std::vector<RuleExplanation>& rules,
              google::protobuf::RepeatedPtrField<v1::RuleTrace>& traces) {
  for (const RuleExplanation& rule : rules) {
    v1::RuleTrace& trace = *traces.Add();
    trace.set_index(static_cast<std::int32_t>(rule.index));
    trace.set_name(rule.name);
    trace.set_active(rule.active);
    trace.set_report_only(rule.report_only);
    trace.set_holds(rule.holds);
    trace.set_matched(rule.matched);
    for (const ConditionExplanation& condition : rule.conditions) {
      v1::ConditionTrace& line = *trace.add_conditions();
      line.set_condition(std::string(Name(condition.condition)));
      line.set_matched(condition.matched);
      line.set_wanted(condition.wanted);
      line.set_seen(condition.seen);
    }
  }
}

void AddReported(const CompiledPolicy& policy, const Facts& facts, const Decision& decision,
                 google::protobuf::RepeatedPtrField<v1::ReportedRule>& reported) {
  decision.reported.ForEach([&](std::size_t index) {
    v1::ReportedRule& rule = *reported.Add();
    rule.set_index(static_cast<std::int32_t>(index + 1));
    rule.set_name(policy.rule(index).name);
    rule.set_outcome(ToMessage(OutcomeOf(policy.rule(index).actions, facts)));
  });
}

}  // namespace devicetrust::policy
