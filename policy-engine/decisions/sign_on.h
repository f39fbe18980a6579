#pragma once

#include <string>
#include <string_view>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/token/key_set.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/proof_check.h"
#include "policy-engine/enrollment/enrollment_service.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/people/factor.h"
#include "policy-engine/people/people_store.h"

namespace devicetrust::policy {

// Decides sign-ons (DESIGN 11, 13). One Evaluate() is one transaction: session, user,
// enrollment, proof spent, decision and events. Thread-safe.
class SignOn {
 public:
  // All references must outlive the SignOn.
  struct Parts {
    db::Database& database;
    const OrgStore& store;
    EventSink& events;
    SystemLog& log;
    const token::KeySet& proof_keys;
    FactorCheck check_factor;
    const Clock& clock;
    Random& random;
  };
  explicit SignOn(Parts parts) : parts_(std::move(parts)) {}

  // The contract (devicetrust.org.v1.DecisionService) says what each does and refuses.
  absl::StatusOr<org::v1::EvaluateResponse> Evaluate(const org::v1::EvaluateRequest& request);
  absl::StatusOr<org::v1::CompleteFactorResponse> CompleteFactor(
      const org::v1::CompleteFactorRequest& request);
  absl::StatusOr<org::v1::ExplainDecisionResponse> Explain(
      const org::v1::ExplainDecisionRequest& request);

 private:
  struct Device;   // What the challenge has shown.
  struct Attempt;  // One Evaluate() on its way.

  absl::Status Decide(db::Transaction& txn, const org::v1::EvaluateRequest& request,
                      Attempt& attempt) const;
  absl::StatusOr<Device> JudgeDevice(db::Transaction& txn, const Attempt& attempt,
                                     const std::string& user_id) const;
  absl::Status AppendEvents(db::Transaction& txn, const Attempt& attempt) const;
  // What a code came to; `completed` is the decision and its user as they were then.
  struct Completion;
  absl::Status TryFactor(db::Transaction& txn, const org::v1::CompleteFactorRequest& request,
                         WallTime now, Completion& completion) const;

  Parts parts_;
};

// The first step for whoever reads a decision; empty when it allowed.
std::string RemedyFor(const org::v1::Decision& decision);

}  // namespace devicetrust::policy
