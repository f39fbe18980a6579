#include "policy-engine/decisions/session_check.h"

#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

constexpr std::chrono::seconds kClockSkewOfGateways{30};

absl::Status SessionError(reason::v1::Reason reason, std::string message) {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason, std::move(message), {},
                        "Sign in again.");
}

}  // namespace

absl::Status CheckSessionAge(const org::v1::SessionInfo& session, WallTime now) {
  const WallTime begun = rpc::FromTimestamp(session.authenticated_at());
  const bool fresh = begun <= now + kClockSkewOfGateways && now - begun < kSessionLifetime;
  if (fresh) return absl::OkStatus();
  return SessionError(reason::v1::REASON_SESSION_EXPIRED, "the session is older than 12 hours");
}

absl::StatusOr<StoredUser> CheckSession(db::Transaction& txn, const std::string& session_id,
                                        const std::string& user_id, WallTime begun) {
  DT_ASSIGN_OR_RETURN(const bool ended, SessionChanges::HasEnded(txn, session_id));
  if (ended) return SessionError(reason::v1::REASON_SESSION_ENDED, "the session was ended");
  DT_ASSIGN_OR_RETURN(StoredUser found, FindUserById(txn, user_id));
  if (found.user.status() != org::v1::USER_STATUS_ACTIVE || begun < found.sessions_from) {
    return SessionError(reason::v1::REASON_SESSION_ENDED, "the user was deactivated");
  }
  return found;
}

}  // namespace devicetrust::policy
