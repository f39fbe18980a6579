// The sessions of one user, as the user or an administrator comes to them: listed, ended, all
// ended.
#pragma once

#include "devicetrust/org/v1/sessions.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

// Thread-safe.
class UserSessions {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    const OrgStore& store;  // How long sessions last, and names of networks.
    EventSink& events;
    const Clock& clock;
  };
  explicit UserSessions(const Parts& parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.SessionService) says what each does and refuses.
  absl::StatusOr<org::v1::ListSessionsResponse> List(
      const rpc::Caller& caller, const org::v1::ListSessionsRequest& request) const;
  absl::StatusOr<org::v1::EndSessionsResponse> End(const rpc::Caller& caller,
                                                   const org::v1::EndSessionsRequest& request);

 private:
  const Parts parts_;
};

}  // namespace devicetrust::policy
