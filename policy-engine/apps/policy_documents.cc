#include "policy-engine/apps/policy_documents.h"

#include <fmt/format.h>

#include <utility>

#include "libs/rpc/error.h"
#include "policy-engine/apps/policy_edit.h"
#include "policy-engine/org/settings_admin.h"
#include "policy-engine/org/settings_edit.h"
#include "policy-engine/org/version_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

void NameChanged(const OrgEdit& edit, v1::ApplyPolicyResponse& response) {
  if (edit.settings) response.add_changed(ObjectText(SettingsObject()));
  if (edit.zones) response.add_changed(ObjectText(ZonesObject()));
  for (const auto& [id, app] : edit.apps) {
    response.add_changed(ObjectText(AppObject(id)) + (app ? "" : " (removed)"));
  }
}

}  // namespace

absl::StatusOr<v1::ExportPolicyResponse> PolicyDocuments::Export(
    const v1::ExportPolicyRequest& /*request*/) const {
  const std::shared_ptr<const OrgState> state = store_.state();
  v1::ExportPolicyResponse response;
  response.set_version(state->version);
  v1::PolicyDocument& document = *response.mutable_document();
  *document.mutable_settings() = PolicySettingsOf(state->settings);
  *document.mutable_zones() = state->zone_messages;
  for (const auto& [id, known] : state->apps) {
    v1::App& app = *document.add_apps();
    app = known.app;
    DT_ASSIGN_OR_RETURN(*app.mutable_rules(), references_.WithPrincipals(known.rules));
  }
  return response;
}

absl::StatusOr<v1::ApplyPolicyResponse> PolicyDocuments::Apply(
    const rpc::Caller& admin, const v1::ApplyPolicyRequest& request) {
  if (!request.has_document()) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "there is no document", "document");
  }
  PolicyWish wish;
  wish.settings = &request.document().settings();
  wish.zones = &request.document().zones();
  wish.apps = {request.document().apps().begin(), request.document().apps().end()};
  wish.no_other_apps = true;
  wish.allow_unknown = request.allow_unknown();
  wish.force = request.force();
  wish.changed_by = admin.ToString();
  wish.now = clock_.Now();

  v1::ApplyPolicyResponse response;
  PolicyProblems problems = ResolvePeople(references_, wish);
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
    for (v1::PolicyProblem& problem : EditPolicy(wish, before, edit)) {
      problems.push_back(std::move(problem));
    }
    NameChanged(edit, response);
    for (const std::string& warning : edit.warnings) response.add_warnings(warning);
    if (!problems.empty() || request.dry_run()) edit = OrgEdit();
    return absl::OkStatus();
  };
  v1::Event event = EventBuilder("policy.document.apply", "Policy document applied", wish.now)
                        .Actor(admin)
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  DT_ASSIGN_OR_RETURN(const OrgStore::Effect effect, store_.Change(std::move(event), change));
  response.set_version(effect.version);
  if (problems.empty()) return response;
  response.clear_changed();
  response.clear_warnings();
  for (v1::PolicyProblem& problem : problems) *response.add_problems() = std::move(problem);
  return response;
}

}  // namespace devicetrust::policy
