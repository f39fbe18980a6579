#include "policy-engine/decisions/policy_drafts.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "libs/rpc/error.h"
#include "policy-engine/apps/zone_admin.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

absl::Status RulesError(const absl::Status& status, const std::string& app_id) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_RULE_INVALID,
                        std::string(status.message()), app_id);
}

absl::StatusOr<std::vector<Zone>> DraftZones(const org::v1::PolicyDraft& draft,
                                             const OrgState& state) {
  if (!draft.has_zones()) return state.zones;
  auto zones = ZonesFromMessages(draft.zones().zones());
  if (zones.ok() && zones->size() <= kZonesMax) return zones;
  return rpc::MakeError(
      absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
      zones.ok() ? "an org has at most 200 zones" : std::string(zones.status().message()), "zones");
}

}  // namespace

absl::StatusOr<DraftPolicy> PolicyDrafts::Compile(const org::v1::PolicyDraft& draft) const {
  DraftPolicy compiled{store_.state(), nullptr, nullptr};
  compiled.app = compiled.state->FindApp(draft.app_id());
  if (compiled.app == nullptr) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          fmt::format("the org has no app '{}'", draft.app_id()), draft.app_id(),
                          "List the apps, or add it first.");
  }
  compiled.policy = compiled.app->policy;
  if (!draft.has_rules() && !draft.has_zones() && !draft.report_only_in_force()) return compiled;
  RuleMessages messages = compiled.app->rules;
  if (draft.has_rules()) {
    DT_ASSIGN_OR_RETURN(messages, references_.Resolve(draft.rules().rules(), /*allow_unknown=*/true,
                                                      draft.app_id()));
  }
  auto rules = RulesFromMessages(messages);
  if (!rules.ok()) return RulesError(rules.status(), draft.app_id());
  for (Rule& rule : *rules) {
    if (!draft.report_only_in_force() || !rule.report_only) continue;
    rule.report_only = false;
    rule.active = true;
  }
  DT_ASSIGN_OR_RETURN(const std::vector<Zone> zones, DraftZones(draft, *compiled.state));
  auto policy = CompiledPolicy::Compile(*std::move(rules), KindOf(compiled.app->app), zones);
  if (!policy.ok()) return RulesError(policy.status(), draft.app_id());
  compiled.policy = *std::move(policy);
  return compiled;
}

}  // namespace devicetrust::policy
