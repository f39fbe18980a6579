// What people see of their own apps (SSO-5): which could open, and which are locked.
#pragma once

#include "devicetrust/org/v1/dashboard.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Thread-safe.
class Dashboard {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    const OrgStore& store;
    const Clock& clock;
  };
  explicit Dashboard(const Parts& parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.DashboardService) says what each does and refuses.
  absl::StatusOr<org::v1::GetDashboardResponse> Get(const org::v1::GetDashboardRequest& request);
  absl::StatusOr<org::v1::NoteAppOpenedResponse> NoteOpened(
      const org::v1::NoteAppOpenedRequest& request);
  absl::StatusOr<org::v1::GetAppLogoResponse> Logo(const org::v1::GetAppLogoRequest& request) const;

 private:
  const Parts parts_;
};

}  // namespace devicetrust::policy
