// Sessions as rows: who is signed in where, since when, with which device, and what was opened in
// it. Functions on a transaction. A session that has ended stays until no cookie of it can be good.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

// What a session has shown of its device.
enum class SessionTrust : std::int64_t {
  kUnknown = 0,
  kTrusted = 1,
  kNotTrusted = 2
};  // As stored.

struct StoredSession {
  std::string id;
  std::string user_id;
  WallTime started_at;
  WallTime expires_at;
  WallTime used_at;
  std::string address;  // Of its last use; plain text.
  std::string user_agent;
  SessionTrust trust = SessionTrust::kUnknown;  // As the last sign-on that asked has found.
  std::string device_id;                        // Of the certificate that it has proved last.
  std::string serial;
  bool tried_secured = false;  // An app that asks for trust was opened from the dashboard.
  bool ended = false;
};

// `used_at` is kept to this much, so that a busy session is not written with each request.
inline constexpr std::chrono::seconds kUseRewrittenAfter{30};

absl::Status StoreSession(db::Transaction& txn, const StoredSession& session);
// Nothing: there is none, as of a release that kept none.
absl::StatusOr<std::optional<StoredSession>> FindSession(db::Transaction& txn,
                                                         const std::string& id);
// The user's that have not ended, begun since `from`, those used last first.
absl::StatusOr<std::vector<StoredSession>> ListSessionsOf(db::Transaction& txn,
                                                          const std::string& user_id,
                                                          WallTime from);

// A user has so many at most: beyond that the ones not used for longest go.
inline constexpr int kSessionsOfUserMax = 100;
// Those beyond, a few at a time.
absl::StatusOr<std::vector<std::string>> ListSurplusSessions(db::Transaction& txn,
                                                             const std::string& user_id,
                                                             WallTime now);

// Somebody uses it from there.
struct SessionUse {
  std::string address;
  std::string user_agent;
};
bool IsTouchDue(const StoredSession& session, const SessionUse& use, WallTime now);
// Nothing while it is not due.
absl::Status TouchSession(db::Transaction& txn, const StoredSession& session, const SessionUse& use,
                          WallTime now);
// What a sign-on has found of the device. `device_id` and `serial`: of a trusted one.
absl::Status WriteSessionTrust(db::Transaction& txn, const StoredSession& session,
                               SessionTrust trust, const std::string& device_id,
                               const std::string& serial);
absl::Status NoteSecuredTry(db::Transaction& txn, const std::string& session_id);

// The apps that were opened in a session: whoever must hear of its end.
absl::Status NoteOpenedApp(db::Transaction& txn, const std::string& session_id,
                           const std::string& app_id, WallTime now);
absl::StatusOr<std::vector<std::string>> ListOpenedApps(db::Transaction& txn,
                                                        const std::string& session_id);

// Its row stays until PruneSessions().
absl::Status MarkSessionEnded(db::Transaction& txn, const std::string& session_id);
// All of a user; how many had not ended.
absl::StatusOr<int> MarkSessionsEnded(db::Transaction& txn, const std::string& user_id);

// When the oldest session began that is kept; nothing: there is none.
absl::StatusOr<std::optional<WallTime>> OldestSessionStart(db::Transaction& txn);

// Forgets sessions whose cookies are good for nothing, whoever reads them.
absl::Status PruneSessions(db::Transaction& txn, WallTime now);

}  // namespace devicetrust::policy
