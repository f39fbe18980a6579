// What rules would do, for administrators: one sign-in, all of them, and two versions beside each
// other. Reads, and changes nothing.
#pragma once

#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "policy-engine/decisions/policy_drafts.h"

namespace devicetrust::policy {

// Thread-safe.
class PolicyAnalysis {
 public:
  // All references must outlive this.
  PolicyAnalysis(db::Database& database, const PolicyDrafts& drafts, const Clock& clock)
      : database_(database), drafts_(drafts), clock_(clock) {}

  // The contract (devicetrust.org.v1.PolicyAnalysisService) says what each does and refuses.
  absl::StatusOr<org::v1::WhatIfResponse> WhatIf(const org::v1::WhatIfRequest& request) const;
  absl::StatusOr<org::v1::AnalyzePolicyResponse> Analyze(
      const org::v1::AnalyzePolicyRequest& request) const;
  absl::StatusOr<org::v1::ComparePoliciesResponse> Compare(
      const org::v1::ComparePoliciesRequest& request) const;

 private:
  db::Database& database_;
  const PolicyDrafts& drafts_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
