#pragma once

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/token/key_set.h"
#include "policy-engine/decisions/sign_on_facts.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/users/account_watch.h"

namespace devicetrust::policy {

// Decides sign-ons in three steps: gather the facts (sign_on_facts.h), evaluate the app's rules
// with them (rules/evaluation.h), keep the decision (sign_on_record.h). Thread-safe.
class SignOn {
 public:
  // All references must outlive the SignOn.
  struct Parts {
    db::Database& database;
    const OrgStore& store;
    EventSink& events;
    const token::KeySet& proof_keys;
    AccountWatch& accounts;
    const Clock& clock;
    Random& random;
  };
  explicit SignOn(Parts parts) : parts_(parts) {}

  // All three steps in one transaction. The contract (devicetrust.org.v1.DecisionService) says
  // what it does and refuses. Before it, when the directory's last word on the user is too old, it
  // is asked for another one; a session whose account is no longer good is ended.
  absl::StatusOr<org::v1::EvaluateResponse> Evaluate(const org::v1::EvaluateRequest& request);

  // The first two steps: what Evaluate() would decide now, without a code. Spends no proof, and
  // leaves nothing in store or log. Errors as Evaluate().
  absl::StatusOr<org::v1::SignOnResult> Preview(const org::v1::EvaluateRequest& request) const;

 private:
  absl::StatusOr<SignOnInput> Prepare(const org::v1::EvaluateRequest& request) const;
  absl::Status CheckAccount(const org::v1::EvaluateRequest& request, WallTime now) const;
  absl::Status EndSession(const org::v1::EvaluateRequest& request, const absl::Status& why);

  const Parts parts_;
};

}  // namespace devicetrust::policy
