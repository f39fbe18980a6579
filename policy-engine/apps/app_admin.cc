#include "policy-engine/apps/app_admin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/saml/metadata.h"
#include "libs/wsfed/metadata.h"
#include "policy-engine/apps/app_validation.h"
#include "policy-engine/apps/versioned_change.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

absl::Status UnknownApp(const std::string& id) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                        fmt::format("the org has no app '{}'", id), id,
                        "List the apps, or add it first.");
}

v1::Event AdminEvent(std::string_view type, std::string_view message, const rpc::Caller& admin,
                     WallTime now, const std::string& target, const std::string& name) {
  return EventBuilder(type, message, now)
      .Actor(admin)
      .Target("AppInstance", target, name)
      .Outcome(v1::EventOutcome::RESULT_SUCCESS)
      .Take();
}

v1::App ListedApp(const OrgState& state, const AppState& app) {
  v1::App message = app.app;
  message.set_needs_device_challenge(state.NeedsDeviceChallenge(app));
  return message;
}

v1::App WholeApp(const OrgState& state, const AppState& app) {
  v1::App message = ListedApp(state, app);
  *message.mutable_rules() = app.rules;
  *message.add_rules() = DefaultRuleMessage();
  return message;
}

// `app` and `rules` in the place of the app that has this id.
absl::Status CheckSize(const v1::App& app, const RuleMessages& rules, const OrgState& before) {
  std::size_t bytes = StoredBytes(app, rules);
  for (const auto& [id, known] : before.apps) {
    if (id != app.id()) bytes += known.bytes;
  }
  if (bytes <= kAppsBytesMax) return absl::OkStatus();
  return rpc::MakeError(
      absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
      fmt::format("the org's apps and rules would take {} bytes; {} are the limit", bytes,
                  kAppsBytesMax),
      app.id(), "Name groups in the rules instead of people.");
}

absl::Status CheckCount(const OrgState& before) {
  if (before.apps.size() < kAppsMax) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        fmt::format("the org has {} apps, which is the limit", kAppsMax));
}

// The names of the rules, for the System Log. kInvalidArgument, RULE_NOT_EDITABLE: one is the
// default rule.
absl::StatusOr<std::vector<std::string>> NamesOf(const v1::SetRulesRequest& request) {
  std::vector<std::string> names;
  for (const v1::Rule& rule : request.rules()) {
    if (rule.is_default() || rule.name() == DefaultRule().name) {
      return rpc::MakeError(absl::StatusCode::kInvalidArgument,
                            reason::v1::REASON_RULE_NOT_EDITABLE,
                            "the default rule is always there, last, and can't be edited",
                            rule.name(), "Leave it out of the list.");
    }
    names.push_back(fmt::format("{}{}", CutText(rule.name(), kRuleNameBytesMax),
                                rule.active()        ? ""
                                : rule.report_only() ? " (report-only)"
                                                     : " (inactive)"));
  }
  return names;
}

// What metadata says, in the place of what `app` says of it; what an administrator chose stays.
absl::Status TakeMetadata(const std::string& metadata, WallTime now, v1::App& app) {
  if (metadata.size() > kPreviewMetadataBytesMax) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          fmt::format("the metadata has {} bytes, and {} are taken here",
                                      metadata.size(), kPreviewMetadataBytesMax),
                          "metadata", "Register the app by dtctl app add, which takes more.");
  }
  std::string name;
  auto saml = saml::ParseServiceProvider(metadata, now);
  if (saml.ok()) {
    name = std::move(saml->display_name);
    saml->saml.set_default_relay_state(app.saml().default_relay_state());
    *saml->saml.mutable_settings() = app.saml().settings();
    *app.mutable_saml() = std::move(saml->saml);
  } else {
    auto ws_fed = wsfed::ParseRelyingParty(metadata, now);
    if (!ws_fed.ok()) {
      return rpc::MakeError(absl::StatusCode::kInvalidArgument,
                            reason::v1::REASON_MALFORMED_REQUEST,
                            std::string(saml.status().message()), "metadata",
                            "Give the metadata that the app publishes about itself.");
    }
    name = std::move(ws_fed->display_name);
    ws_fed->party.set_token_type(app.ws_fed().token_type());
    ws_fed->party.set_claims(app.ws_fed().claims());
    *ws_fed->party.mutable_attributes() = app.ws_fed().attributes();
    *app.mutable_ws_fed() = std::move(ws_fed->party);
  }
  if (app.label().empty()) app.set_label(name.empty() ? app.id() : name);
  return absl::OkStatus();
}

// What the app's protocol knows it by.
std::string NameInProtocol(const v1::App& app) {
  return app.has_saml() ? app.saml().entity_id() : app.ws_fed().realm();
}

}  // namespace

template <typename Response>
absl::StatusOr<Response> AppAdmin::AppAnswer(const std::string& id) const {
  const std::shared_ptr<const OrgState> state = store_.state();
  const AppState* app = state->FindApp(id);
  if (app == nullptr) return UnknownApp(id);
  Response response;
  *response.mutable_app() = WholeApp(*state, *app);
  DT_ASSIGN_OR_RETURN(*response.mutable_app()->mutable_lost_references(),
                      references_.FindLost(app->rules));
  response.set_version(state->version);
  return response;
}

absl::StatusOr<v1::PutAppResponse> AppAdmin::PutApp(const rpc::Caller& admin,
                                                    const v1::PutAppRequest& request) {
  const v1::App app = RegistrationOf(request.app());
  DT_RETURN_IF_ERROR(ValidateApp(app));
  v1::Event event = AdminEvent("application.lifecycle.update", "App added or replaced", admin,
                               clock_.Now(), app.id(), app.label());
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
    const AppState* known = before.FindApp(app.id());
    if (known == nullptr) DT_RETURN_IF_ERROR(CheckCount(before));
    RuleMessages rules = known == nullptr ? RuleMessages() : known->rules;
    DT_RETURN_IF_ERROR(CheckRules(app, rules, before.zones));
    DT_RETURN_IF_ERROR(CheckSize(app, rules, before));
    edit.apps[app.id()] = OrgEdit::App{app, std::move(rules)};
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(store_.Change(std::move(event), change).status());
  return AppAnswer<v1::PutAppResponse>(app.id());
}

absl::StatusOr<v1::PreviewAppResponse> AppAdmin::PreviewApp(
    const v1::PreviewAppRequest& request) const {
  v1::App app = RegistrationOf(request.app());
  if (!request.metadata().empty()) {
    DT_RETURN_IF_ERROR(TakeMetadata(request.metadata(), clock_.Now(), app));
  }
  DT_RETURN_IF_ERROR(ValidateApp(app));
  const std::shared_ptr<const OrgState> state = store_.state();
  const AppState* known = state->FindApp(app.id());
  if (known == nullptr) DT_RETURN_IF_ERROR(CheckCount(*state));
  const RuleMessages rules = known == nullptr ? RuleMessages() : known->rules;
  DT_RETURN_IF_ERROR(CheckRules(app, rules, state->zones));
  DT_RETURN_IF_ERROR(CheckSize(app, rules, *state));
  for (const auto& [id, other] : state->apps) {
    if (id == app.id() || other.app.has_saml() != app.has_saml() ||
        NameInProtocol(other.app) != NameInProtocol(app)) {
      continue;
    }
    return rpc::MakeError(absl::StatusCode::kAlreadyExists, reason::v1::REASON_ALREADY_EXISTS,
                          fmt::format("the app '{}' is registered by this name", id),
                          app.has_saml() ? "saml.entity_id" : "ws_fed.realm",
                          "Edit that app, or remove it first.");
  }
  v1::PreviewAppResponse response;
  *response.mutable_app() = std::move(app);
  response.set_replaces(known != nullptr);
  return response;
}

absl::StatusOr<v1::GetAppResponse> AppAdmin::GetApp(const v1::GetAppRequest& request) const {
  return AppAnswer<v1::GetAppResponse>(request.app_id());
}

v1::ListAppsResponse AppAdmin::ListApps(const v1::ListAppsRequest& request) const {
  const std::shared_ptr<const OrgState> state = store_.state();
  v1::ListAppsResponse response;
  response.set_version(state->version);
  response.set_unchanged(request.known_version() == state->version);
  if (response.unchanged()) return response;
  response.set_default_name_id_format(state->settings.default_name_id_format());
  for (const auto& [id, app] : state->apps) *response.add_apps() = ListedApp(*state, app);
  return response;
}

absl::StatusOr<v1::RemoveAppResponse> AppAdmin::RemoveApp(const rpc::Caller& admin,
                                                          const v1::RemoveAppRequest& request) {
  v1::Event event = AdminEvent("application.lifecycle.delete", "App removed", admin, clock_.Now(),
                               request.app_id(), {});
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
    if (before.FindApp(request.app_id()) == nullptr) return UnknownApp(request.app_id());
    edit.apps[request.app_id()] = std::nullopt;
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(store_.Change(std::move(event), change).status());
  v1::RemoveAppResponse response;
  response.set_version(store_.state()->version);
  return response;
}

absl::StatusOr<v1::SetRulesResponse> AppAdmin::SetRules(const rpc::Caller& admin,
                                                        const v1::SetRulesRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(request));
  v1::Event event = AdminEvent("policy.rules.change", "Sign-on rules of an app changed", admin,
                               clock_.Now(), request.app_id(), {});
  (*event.mutable_debug_data())["rules"] = CutText(fmt::format("{}", fmt::join(names, "; ")), 4096);
  // Not within the change: it may ask a directory.
  DT_ASSIGN_OR_RETURN(const RuleMessages rules,
                      references_.Resolve(WithDefaults(request.rules()), request.allow_unknown(),
                                          request.app_id()));
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
    const AppState* known = before.FindApp(request.app_id());
    if (known == nullptr) return UnknownApp(request.app_id());
    DT_RETURN_IF_ERROR(CheckRules(known->app, rules, before.zones));
    DT_RETURN_IF_ERROR(CheckSize(known->app, rules, before));
    edit.apps[request.app_id()] = OrgEdit::App{known->app, rules};
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(store_.Change(std::move(event), change).status());
  return AppAnswer<v1::SetRulesResponse>(request.app_id());
}

}  // namespace devicetrust::policy
