// What is known of one sign-on. It is gathered from a request and the store, kept in the decision,
// and read from there by every evaluation: the first one, an explanation, a replay.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/decisions/proof_check.h"
#include "policy-engine/org/org_state.h"
#include "policy-engine/rules/evaluation.h"
#include "policy-engine/sessions/session_store.h"

namespace devicetrust::policy {

// What is fixed before the store is asked. `request` must outlive it.
struct SignOnInput {
  const org::v1::EvaluateRequest& request;
  std::shared_ptr<const OrgState> state;
  const AppState* app = nullptr;  // Inside `state`.
  ProofVerdict proof;
  WallTime now;
};

struct SignOnFacts {
  // The fields of what was known; those of what follows from it are empty.
  org::v1::Decision known;
  org::v1::User user;                    // With all fields, for the gateway's answer to the app.
  std::optional<StoredSession> session;  // Nothing: an earlier release opened it.
  bool spends_proof = false;             // Trust rests on the proof: who acts on it must spend it.
};

// The fields of a user that a decision needs later.
org::v1::User KeptUser(const org::v1::User& user);

// Reads the session, the user, the enrollment and whether the proof was used. Changes nothing.
// Errors: those of CheckSession() and of the store.
absl::StatusOr<SignOnFacts> GatherFacts(db::Transaction& txn, const SignOnInput& input);

// A decision's known fields in the form that rules are evaluated with. `known` must outlive it.
class KnownFacts {
 public:
  explicit KnownFacts(const org::v1::Decision& known);
  KnownFacts(const KnownFacts&) = delete;
  KnownFacts& operator=(const KnownFacts&) = delete;

  const Facts& facts() const { return facts_; }

 private:
  std::vector<std::string> groups_;
  Facts facts_;
};

// Evaluates `policy` with the known fields of `decision`, and writes what follows from them into
// it: outcome, rule, and what report-only rules would have made of it. A pure function of both.
void Decide(const CompiledPolicy& policy, org::v1::Decision& decision);

// The platform that counts: the verified one if there is one, else the claimed one.
Platform EffectivePlatform(const org::v1::Decision& decision);

}  // namespace devicetrust::policy
