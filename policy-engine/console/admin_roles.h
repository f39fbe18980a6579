#pragma once

#include "devicetrust/org/v1/console.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"

namespace devicetrust::policy {

// Who administers the org (ADM-1). Thread-safe.
class AdminRoles {
 public:
  struct Parts {
    db::Database& database;
    EventSink& events;
    const Clock& clock;
  };
  explicit AdminRoles(Parts parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.AdminRoleService) says what each does and refuses.
  absl::StatusOr<org::v1::GrantRoleResponse> Grant(const rpc::Caller& admin,
                                                   const org::v1::GrantRoleRequest& request);
  absl::StatusOr<org::v1::RevokeRoleResponse> Revoke(const rpc::Caller& admin,
                                                     const org::v1::RevokeRoleRequest& request);
  absl::StatusOr<org::v1::ListAdminsResponse> List() const;

 private:
  Parts parts_;
};

}  // namespace devicetrust::policy
