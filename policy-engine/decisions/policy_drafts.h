// Rules that are not saved, made ready to be evaluated beside those that are.
#pragma once

#include <memory>

#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "policy-engine/apps/rule_references.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

struct DraftPolicy {
  std::shared_ptr<const OrgState> state;
  const AppState* app = nullptr;  // Inside `state`: as it is saved.
  std::shared_ptr<const CompiledPolicy> policy;
};

// Thread-safe.
class PolicyDrafts {
 public:
  // Both references must outlive this.
  PolicyDrafts(const OrgStore& store, const RuleReferences& references)
      : store_(store), references_(references) {}

  // The contract (devicetrust.org.v1.PolicyAnalysisService) says what it refuses.
  absl::StatusOr<DraftPolicy> Compile(const org::v1::PolicyDraft& draft) const;

 private:
  const OrgStore& store_;
  const RuleReferences& references_;
};

}  // namespace devicetrust::policy
