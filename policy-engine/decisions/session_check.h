#pragma once

#include <string>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

// kUnauthenticated, SESSION_EXPIRED: the session is older than kSessionLifetime, or begins in the
// future.
absl::Status CheckSessionAge(const org::v1::SessionInfo& session, WallTime now);

// The user of a session that was neither ended nor cut off since it began at `begun`.
// kUnauthenticated, SESSION_ENDED: the session was ended, or its user deactivated since.
// kNotFound, USER_UNKNOWN.
absl::StatusOr<StoredUser> CheckSession(db::Transaction& txn, const std::string& session_id,
                                        const std::string& user_id, WallTime begun);

}  // namespace devicetrust::policy
