// Versions of settings, zones and apps, and the way back to one.
#pragma once

#include "devicetrust/org/v1/history.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/apps/rule_references.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Thread-safe.
class VersionHistory {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    OrgStore& store;
    const RuleReferences& references;
    const Clock& clock;
  };
  explicit VersionHistory(const Parts& parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.HistoryService) says what each does and refuses.
  absl::StatusOr<org::v1::ListVersionsResponse> List(
      const org::v1::ListVersionsRequest& request) const;
  absl::StatusOr<org::v1::GetVersionResponse> Get(const org::v1::GetVersionRequest& request) const;
  absl::StatusOr<org::v1::RollbackResponse> Rollback(const rpc::Caller& admin,
                                                     const org::v1::RollbackRequest& request);

 private:
  const Parts parts_;
};

}  // namespace devicetrust::policy
