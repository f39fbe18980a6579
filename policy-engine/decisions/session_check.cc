#include "policy-engine/decisions/session_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/sessions/session_changes.h"

namespace devicetrust::policy {
namespace {

constexpr std::chrono::seconds kClockSkewOfGateways{30};

absl::Status SessionError(reason::v1::Reason reason, std::string message) {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason, std::move(message), {},
                        "Sign in again.");
}

std::string InWords(std::chrono::seconds time) {
  const auto minutes = std::chrono::floor<std::chrono::minutes>(time).count();
  if (minutes % 60 != 0) return fmt::format("{} minutes", minutes);
  return fmt::format("{} hour{}", minutes / 60, minutes == 60 ? "" : "s");
}

absl::Status CheckAge(WallTime begun, std::chrono::seconds lifetime, WallTime now) {
  const bool fresh = begun <= now + kClockSkewOfGateways && now - begun < lifetime;
  if (fresh) return absl::OkStatus();
  return SessionError(reason::v1::REASON_SESSION_EXPIRED,
                      fmt::format("the session is older than {}", InWords(lifetime)));
}

absl::Status EndedError() {
  return SessionError(reason::v1::REASON_SESSION_ENDED, "the session was ended");
}

absl::Status CheckStored(const StoredSession& session, const SessionClaim& claim,
                         const SessionLimits& limits, WallTime now) {
  // A cookie is sealed, so this is a fault of a gateway.
  if (session.user_id != claim.user_id || session.ended) return EndedError();
  DT_RETURN_IF_ERROR(CheckAge(session.started_at, limits.lifetime, now));
  if (now >= session.expires_at) {
    return SessionError(reason::v1::REASON_SESSION_EXPIRED, "the session's time is over");
  }
  // What is kept may be a little behind the last use.
  if (limits.idle.count() == 0 || now - session.used_at < limits.idle + kUseRewrittenAfter) {
    return absl::OkStatus();
  }
  return SessionError(reason::v1::REASON_SESSION_EXPIRED,
                      fmt::format("the session was not used for {}", InWords(limits.idle)));
}

}  // namespace

absl::Status CheckSessionAge(const org::v1::SessionInfo& session, const SessionLimits& limits,
                             WallTime now) {
  return CheckAge(rpc::FromTimestamp(session.authenticated_at()), limits.lifetime, now);
}

SessionClaim ClaimOf(const org::v1::SessionInfo& session) {
  return {session.session_id(), session.user_id(), rpc::FromTimestamp(session.authenticated_at())};
}

absl::StatusOr<OpenSession> CheckSession(db::Transaction& txn, const SessionClaim& claim,
                                         const SessionLimits& limits, WallTime now) {
  OpenSession open;
  DT_ASSIGN_OR_RETURN(open.stored, FindSession(txn, claim.session_id));
  if (open.stored) {
    DT_RETURN_IF_ERROR(CheckStored(*open.stored, claim, limits, now));
  } else {
    DT_ASSIGN_OR_RETURN(const bool ended, SessionChanges::HasEnded(txn, claim.session_id));
    if (ended) return EndedError();
    const std::chrono::seconds usual = kSessionLifetime;
    DT_RETURN_IF_ERROR(CheckAge(claim.begun, std::min(limits.lifetime, usual), now));
  }
  DT_ASSIGN_OR_RETURN(open.user, FindUserById(txn, claim.user_id));
  const WallTime begun = open.stored ? open.stored->started_at : claim.begun;
  if (open.user.user.status() != org::v1::USER_STATUS_ACTIVE || begun < open.user.sessions_from) {
    return SessionError(reason::v1::REASON_SESSION_ENDED,
                        "the user was deactivated or signed out everywhere");
  }
  return open;
}

}  // namespace devicetrust::policy
