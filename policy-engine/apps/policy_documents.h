// The whole policy as one document: out, and in again in one transaction.
#pragma once

#include "devicetrust/org/v1/policy_document.pb.h"
#include "libs/base/clock.h"
#include "libs/rpc/caller.h"
#include "policy-engine/apps/rule_references.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Thread-safe.
class PolicyDocuments {
 public:
  PolicyDocuments(OrgStore& store, const RuleReferences& references, const Clock& clock)
      : store_(store), references_(references), clock_(clock) {}

  // The contract (devicetrust.org.v1.PolicyDocumentService) says what each does and refuses.
  absl::StatusOr<org::v1::ExportPolicyResponse> Export(
      const org::v1::ExportPolicyRequest& request) const;
  absl::StatusOr<org::v1::ApplyPolicyResponse> Apply(const rpc::Caller& admin,
                                                     const org::v1::ApplyPolicyRequest& request);

 private:
  OrgStore& store_;
  const RuleReferences& references_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
