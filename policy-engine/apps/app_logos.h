#pragma once

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Logos of apps: given by an admin, logged. Thread-safe.
class AppLogos {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    const OrgStore& store;
    EventSink& events;
    const Clock& clock;
  };
  explicit AppLogos(const Parts& parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.AppService) says what it does and refuses.
  absl::StatusOr<org::v1::SetAppLogoResponse> Set(const rpc::Caller& admin,
                                                  const org::v1::SetAppLogoRequest& request);

 private:
  const Parts parts_;
};

}  // namespace devicetrust::policy
