#pragma once

#include <optional>
#include <string>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/sessions/session_limits.h"
#include "policy-engine/sessions/session_store.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

// kUnauthenticated, SESSION_EXPIRED: the session is older than it may be, or begins in the future.
absl::Status CheckSessionAge(const org::v1::SessionInfo& session, const SessionLimits& limits,
                             WallTime now);

// What a gateway says of a browser's session, as of now.
struct SessionClaim {
  const std::string& session_id;
  const std::string& user_id;
  WallTime begun;
};
SessionClaim ClaimOf(const org::v1::SessionInfo& session);

// A session that is neither over nor cut off, and its user.
struct OpenSession {
  StoredUser user;
  std::optional<StoredSession> stored;  // Nothing: an earlier release opened it.
};

// kUnauthenticated, SESSION_ENDED: the session was ended, or its user deactivated or signed out
// everywhere since. SESSION_EXPIRED: too old by `limits`, or not used for too long.
// kNotFound, USER_UNKNOWN.
absl::StatusOr<OpenSession> CheckSession(db::Transaction& txn, const SessionClaim& claim,
                                         const SessionLimits& limits, WallTime now);

}  // namespace devicetrust::policy
