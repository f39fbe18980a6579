#pragma once

#include <string>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/db/database.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Reads kept decisions: why one came out as it did, and what other rules would have made of it.
// Changes nothing. Thread-safe.
class DecisionHistory {
 public:
  // All references must outlive this.
  DecisionHistory(db::Database& database, const OrgStore& store, SystemLog& log)
      : database_(database), store_(store), log_(log) {}

  // The contract (devicetrust.org.v1.DecisionService) says what it does and refuses.
  absl::StatusOr<org::v1::ExplainDecisionResponse> Explain(
      const org::v1::ExplainDecisionRequest& request) const;

  // The sign-on of a kept decision as `policy` decides it: outcome and rule are those of `policy`,
  // the rest is as kept. Where Device Trust was not evaluated then, no rule of `policy` that names
  // it matches: nobody asked the device. kNotFound, DECISION_UNKNOWN.
  absl::StatusOr<org::v1::Decision> Replay(const std::string& code,
                                           const CompiledPolicy& policy) const;

 private:
  db::Database& database_;
  const OrgStore& store_;
  SystemLog& log_;
};

}  // namespace devicetrust::policy
