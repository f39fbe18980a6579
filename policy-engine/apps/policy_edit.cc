#include "policy-engine/apps/policy_edit.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "policy-engine/apps/app_admin.h"
#include "policy-engine/apps/app_validation.h"
#include "policy-engine/apps/versioned_change.h"
#include "policy-engine/apps/zone_admin.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/org/settings_edit.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kProblemsMax = 1000;
constexpr std::size_t kProblemBytesMax = 1024;

// Collects problems.
class Problems {
 public:
  void Add(std::string path, const absl::Status& status, reason::v1::Reason reason) {
    if (status.ok() || found_.size() == kProblemsMax) return;
    v1::PolicyProblem& problem = found_.emplace_back();
    problem.set_path(std::move(path));
    problem.set_message(CutText(std::string(status.message()), kProblemBytesMax));
    problem.set_reason(reason);
    if (const auto detail = rpc::DetailOf(status)) {
      problem.set_reason(detail->reason());
      problem.set_remedy(detail->remedy());
    }
  }
  void Add(std::string path, std::string message, reason::v1::Reason reason) {
    Add(std::move(path), absl::InvalidArgumentError(message), reason);
  }
  std::size_t count() const { return found_.size(); }
  PolicyProblems Take() { return std::move(found_); }

 private:
  PolicyProblems found_;
};

std::string AppPath(std::size_t index) { return fmt::format("apps[{}]", index); }
std::string RulePath(std::size_t app, int rule) {
  return fmt::format("apps[{}].rules[{}]", app, rule);
}

std::vector<Zone> EditZones(const PolicyWish& wish, const OrgState& before, Problems& problems) {
  constexpr auto kMalformed = reason::v1::REASON_MALFORMED_REQUEST;
  if (wish.zones == nullptr) return before.zones;
  std::vector<Zone> zones;
  std::set<std::string> names;
  if (wish.zones->size() > kZonesMax) {
    problems.Add("zones", fmt::format("an org has at most {} zones", kZonesMax), kMalformed);
    return zones;
  }
  for (int i = 0; i < wish.zones->size(); ++i) {
    const v1::Zone& message = (*wish.zones)[i];
    const std::string path = fmt::format("zones[{}]", i);
    if (!names.insert(message.name()).second) {
      problems.Add(path, fmt::format("another zone is named '{}'", message.name()), kMalformed);
    }
    const ZoneSpec spec{message.name(), {message.cidr().begin(), message.cidr().end()}};
    const absl::Status spelling = CheckSpelling(spec);
    auto zone = spelling.ok() ? Zone::Compile(spec) : absl::StatusOr<Zone>(spelling);
    if (zone.ok()) {
      zones.push_back(*std::move(zone));
    } else {
      problems.Add(path, zone.status(), kMalformed);
    }
  }
  return zones;
}

// The rules of one app, each on its own, so that all that are wrong are named.
void CheckEachRule(const v1::App& app, std::size_t index, Problems& problems) {
  constexpr auto kInvalid = reason::v1::REASON_RULE_INVALID;
  std::set<std::string> names;
  for (int i = 0; i < app.rules_size(); ++i) {
    const absl::StatusOr<Rule> rule = RuleFromMessage(app.rules(i));
    problems.Add(RulePath(index, i), rule.ok() ? Validate(*rule, KindOf(app)) : rule.status(),
                 kInvalid);
    if (!names.insert(app.rules(i).name()).second) {
      problems.Add(RulePath(index, i),
                   fmt::format("rule '{}': another rule of this app has this name; choose another",
                               CutText(app.rules(i).name(), kRuleNameBytesMax)),
                   kInvalid);
    }
  }
}

// The apps as they would be, each checked.
class AppsEdit {
 public:
  AppsEdit(const PolicyWish& wish, const OrgState& before, OrgState& after, Problems& problems)
      : wish_(wish), before_(before), after_(after), problems_(problems) {}

  void Run() {
    for (std::size_t i = 0; i < wish_.apps.size(); ++i) Put(wish_.apps[i], i);
    for (const auto& [id, app] : before_.apps) {
      if (after_.apps.contains(id) || refused_.contains(id) || wish_.no_other_apps) continue;
      Keep(id, app);
    }
    CheckTogether();
  }

 private:
  void Put(const v1::App& app, std::size_t index) {
    const std::size_t problems_before = problems_.count();
    const v1::App registered = RegistrationOf(app);
    problems_.Add(AppPath(index), ValidateApp(registered), reason::v1::REASON_MALFORMED_REQUEST);
    CheckEachRule(app, index, problems_);
    if (!ids_.insert(app.id()).second) {
      problems_.Add(AppPath(index), fmt::format("another app has the id '{}'", app.id()),
                    reason::v1::REASON_ALREADY_EXISTS);
    }
    const bool valid = problems_.count() == problems_before;
    absl::StatusOr<AppState> state =
        valid ? CompileApp(registered, app.rules(), after_.zones) : absl::UnknownError("");
    if (valid) problems_.Add(AppPath(index), state.status(), reason::v1::REASON_RULE_INVALID);
    if (!state.ok()) {
      refused_.insert(app.id());
      return;
    }
    state->bytes = StoredBytes(state->app, state->rules);
    NoteEntity(*state, AppPath(index));
    after_.apps[app.id()] = *std::move(state);
  }

  // One that the wish does not name. Its rules may name a zone that would go.
  void Keep(const std::string& id, const AppState& app) {
    absl::StatusOr<AppState> state =
        wish_.zones == nullptr ? app : CompileApp(app.app, app.rules, after_.zones);
    if (!state.ok()) {
      problems_.Add("zones", fmt::format("app '{}': {}", id, std::string(state.status().message())),
                    reason::v1::REASON_RULE_INVALID);
      return;
    }
    state->bytes = app.bytes;
    NoteEntity(*state, "apps");
    after_.apps[id] = *std::move(state);
  }

  void NoteEntity(const AppState& app, const std::string& path) {
    const bool ws_fed = app.app.has_ws_fed();
    if (!ws_fed && !app.app.has_saml()) return;
    const std::string& name = ws_fed ? app.app.ws_fed().realm() : app.app.saml().entity_id();
    const auto [other, fresh] = (ws_fed ? realms_ : entities_).emplace(name, app.app.id());
    if (fresh) return;
    problems_.Add(path,
                  fmt::format("the apps '{}' and '{}' have one {}: {}", other->second, app.app.id(),
                              ws_fed ? "realm" : "entity id", name),
                  reason::v1::REASON_ALREADY_EXISTS);
  }

  void CheckTogether() {
    std::size_t bytes = 0;
    for (const auto& [id, app] : after_.apps) bytes += app.bytes;
    if (after_.apps.size() > kAppsMax) {
      problems_.Add("apps", fmt::format("an org has at most {} apps", kAppsMax),
                    reason::v1::REASON_CONFLICTING_STATE);
    }
    if (bytes > kAppsBytesMax) {
      problems_.Add("apps",
                    fmt::format("apps and rules would take {} bytes; {} are the limit. Name groups "
                                "in the rules instead of people",
                                bytes, kAppsBytesMax),
                    reason::v1::REASON_CONFLICTING_STATE);
    }
  }

  const PolicyWish& wish_;
  const OrgState& before_;
  OrgState& after_;
  Problems& problems_;
  std::set<std::string> ids_;
  std::set<std::string> refused_;
  std::map<std::string, std::string> entities_;  // Entity id to app.
  std::map<std::string, std::string> realms_;    // Realm to app.
};

std::string StoredForm(const AppState& app) {
  v1::App whole = app.app;
  *whole.mutable_rules() = app.rules;
  return whole.SerializeAsString();
}

std::string StoredForm(const ZoneMessages& zones) {
  v1::GetZonesResponse whole;
  *whole.mutable_zones() = zones;
  return whole.SerializeAsString();
}

void NameTarget(std::string_view type, const std::string& id, std::string name, OrgEdit& edit) {
  v1::Target& target = edit.targets.emplace_back();
  target.set_type(std::string(type));
  target.set_id(id);
  target.set_display_name(std::move(name));
}

// What is another than before.
void NameDifferences(const PolicyWish& wish, const OrgState& before, const OrgState& after,
                     OrgEdit& edit) {
  if (wish.zones != nullptr && StoredForm(*wish.zones) != StoredForm(before.zone_messages)) {
    edit.zones = *wish.zones;
    NameTarget("Setting", "zones", fmt::format("{} zones", wish.zones->size()), edit);
  }
  for (const auto& [id, app] : after.apps) {
    const AppState* const known = before.FindApp(id);
    if (known != nullptr && StoredForm(*known) == StoredForm(app)) continue;
    edit.apps[id] = OrgEdit::App{app.app, app.rules};
    NameTarget("AppInstance", id, app.app.label(), edit);
  }
  for (const auto& [id, app] : before.apps) {
    if (after.apps.contains(id)) continue;
    edit.apps[id] = std::nullopt;
    NameTarget("AppInstance", id, app.app.label() + " (removed)", edit);
  }
}

}  // namespace

PolicyProblems ResolvePeople(const RuleReferences& references, PolicyWish& wish) {
  Problems problems;
  for (std::size_t i = 0; i < wish.apps.size(); ++i) {
    v1::App& app = wish.apps[i];
    *app.mutable_rules() = WithDefaults(app.rules());
    auto all = references.Resolve(app.rules(), wish.allow_unknown, app.id());
    if (all.ok()) {
      *app.mutable_rules() = *std::move(all);
      continue;
    }
    const std::size_t before = problems.count();
    for (int rule = 0; rule < app.rules_size(); ++rule) {
      RuleMessages one;
      *one.Add() = app.rules(rule);
      const auto resolved = references.Resolve(std::move(one), wish.allow_unknown, app.id());
      problems.Add(RulePath(i, rule), resolved.status(), reason::v1::REASON_RULE_INVALID);
    }
    if (problems.count() == before) {  // It was the store, or has come meanwhile.
      problems.Add(AppPath(i), all.status(), reason::v1::REASON_RULE_INVALID);
    }
  }
  return problems.Take();
}

PolicyProblems EditPolicy(const PolicyWish& wish, const OrgState& before, OrgEdit& edit) {
  Problems problems;
  OrgState after;
  if (wish.settings != nullptr) {
    problems.Add("settings", CheckSettings(*wish.settings), reason::v1::REASON_MALFORMED_REQUEST);
  }
  const std::size_t of_settings = problems.count();
  after.zones = EditZones(wish, before, problems);
  // Without its zones no rule can be judged.
  if (problems.count() == of_settings) AppsEdit(wish, before, after, problems).Run();
  if (problems.count() == 0) NameDifferences(wish, before, after, edit);
  if (wish.settings != nullptr && problems.count() == 0) {
    problems.Add(
        "settings",
        EditSettings({*wish.settings, wish.force, wish.changed_by, wish.now}, before, after, edit),
        reason::v1::REASON_MALFORMED_REQUEST);
  }
  const v1::OrgSettings& settings = edit.settings ? edit.settings->settings : before.settings;
  const std::vector<std::string> naming_trust = after.RulesNamingTrust();
  const bool in_force = settings.device_trust_enabled() && settings.capability_enabled();
  if (!in_force && !naming_trust.empty() && edit.warnings.empty()) {
    edit.warnings.push_back(fmt::format(
        "{} active rules name device trust, which is off: they can't match", naming_trust.size()));
  }
  return problems.Take();
}

absl::Status ErrorOf(const PolicyProblems& problems) {
  if (problems.empty()) return absl::OkStatus();
  const v1::PolicyProblem& first = problems.front();
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  if (first.reason() == reason::v1::REASON_ALREADY_EXISTS) code = absl::StatusCode::kAlreadyExists;
  if (first.reason() == reason::v1::REASON_SETTING_IN_USE ||
      first.reason() == reason::v1::REASON_CONFLICTING_STATE) {
    code = absl::StatusCode::kFailedPrecondition;
  }
  return rpc::MakeError(code, first.reason(), first.message(), first.path(), first.remedy());
}

}  // namespace devicetrust::policy
