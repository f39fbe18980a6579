#pragma once

#include <functional>
#include <span>
#include <vector>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/trace.h"
#include "libs/db/database.h"
#include "libs/token/key_set.h"
#include "policy-engine/decisions/sign_on_facts.h"
#include "policy-engine/decisions/sign_on_record.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/users/account_watch.h"

namespace devicetrust::policy {

// A sign-on with all that it needs before the store. Its request must outlive it.
struct ReadySignOn {
  SignOnInput input;
  RecordIds ids;
  TraceId trace;  // Of the call that it came with.
};

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

  using Response = absl::StatusOr<org::v1::EvaluateResponse>;

  // All three steps in one transaction. The contract (devicetrust.org.v1.DecisionService) says
  // what it does and refuses. Before it, when the directory's last word on the user is too old, it
  // is asked for another one; a session whose account is no longer good is ended.
  Response Evaluate(const org::v1::EvaluateRequest& request);

  // Evaluate() in parts, for callers that do not wait (sign_on_queue.h). The first says whether
  // only Evaluate() will do, which may block as long as a call of the directory.
  bool AsksDirectory(const org::v1::EvaluateRequest& request) const;
  absl::StatusOr<ReadySignOn> MakeReady(const org::v1::EvaluateRequest& request);
  // All that `take` gives in one transaction, in their order; the answers come in the same. One
  // that is refused or fails does so alone. `take` is first called when it is the transaction's
  // turn, so that those who came while it waited belong to it, and gives the same each time.
  using Take = std::function<std::span<const ReadySignOn>()>;
  std::vector<Response> DecideAll(const Take& take);

  // The first two steps: what Evaluate() would decide now, without a code. Spends no proof, and
  // leaves nothing in store or log. Errors as Evaluate().
  absl::StatusOr<org::v1::SignOnResult> Preview(const org::v1::EvaluateRequest& request) const;

 private:
  absl::StatusOr<SignOnInput> Prepare(const org::v1::EvaluateRequest& request) const;
  absl::Status CheckAccount(const org::v1::EvaluateRequest& request, WallTime now) const;
  absl::Status EndSession(const org::v1::EvaluateRequest& request, const absl::Status& why);

  Response DecideAlone(const ReadySignOn& ready);

  struct Decided;
  // Its events are added to `events`.
  static absl::StatusOr<Decided> DecideOne(db::Transaction& txn, const ReadySignOn& ready,
                                           std::vector<org::v1::Event>& events);
  static org::v1::SignOnResult AnswerOf(const SignOnInput& input, const Decided& decided);

  const Parts parts_;
};

}  // namespace devicetrust::policy
