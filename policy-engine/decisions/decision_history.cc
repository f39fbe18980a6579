#include "policy-engine/decisions/decision_history.h"

#include <utility>

#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/decision_words.h"
#include "policy-engine/decisions/sign_on_facts.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

absl::StatusOr<v1::ExplainDecisionResponse> DecisionHistory::Explain(
    const v1::ExplainDecisionRequest& request) const {
  const auto find = [&](db::Transaction& txn) { return FindDecision(txn, request.code()); };
  DT_ASSIGN_OR_RETURN(StoredDecision stored, database_.Read(find));
  v1::Decision& decision = stored.record;
  DT_ASSIGN_OR_RETURN(const AppState app,
                      store_.AppAt(decision.app_id(), stored.app_revision, stored.zones_revision));
  const KnownFacts known(decision);
  const std::vector<RuleExplanation> rules =
      policy::Explain(*app.policy, known.facts(), app.policy->Evaluate(known.facts()),
                      WordsFor(decision.trust_reason()));
  AddTrace(rules, *decision.mutable_rules());
  if (stored.factor_completed_at) {
    *decision.mutable_factor_completed_at() = rpc::ToTimestamp(*stored.factor_completed_at);
    decision.set_outcome(v1::OUTCOME_ALLOWED);
  }
  DT_ASSIGN_OR_RETURN(const auto revoked_at, log_.RevokedAt(decision.certificate_serial()));
  if (revoked_at) *decision.mutable_certificate_revoked_at() = rpc::ToTimestamp(*revoked_at);
  decision.set_remedy(RemedyFor(decision, app.policy->uses_trust()));
  v1::ExplainDecisionResponse response;
  *response.mutable_decision() = std::move(decision);
  return response;
}

absl::StatusOr<v1::Decision> DecisionHistory::Replay(const std::string& code,
                                                     const CompiledPolicy& policy) const {
  const auto find = [&code](db::Transaction& txn) { return FindDecision(txn, code); };
  DT_ASSIGN_OR_RETURN(StoredDecision stored, database_.Read(find));
  Decide(policy, stored.record);
  return std::move(stored.record);
}

}  // namespace devicetrust::policy
