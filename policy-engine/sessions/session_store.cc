#include "policy-engine/sessions/session_store.h"

#include <algorithm>

#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

constexpr std::chrono::minutes kPruneMargin{10};  // Clocks of gateways differ a little.

StoredSession SessionFromRow(const db::Row& row) {
  StoredSession session;
  session.id = db::Text(row[0]);
  session.user_id = db::Text(row[1]);
  session.started_at = AtUnixMillis(db::Int(row[2]));
  session.expires_at = AtUnixMillis(db::Int(row[3]));
  session.used_at = AtUnixMillis(db::Int(row[4]));
  session.address = db::Text(row[5]);
  session.user_agent = db::Text(row[6]);
  session.trust = static_cast<SessionTrust>(db::Int(row[7]));
  session.device_id = db::Text(row[8]);
  session.serial = db::Text(row[9]);
  session.tried_secured = db::Int(row[10]) != 0;
  session.ended = db::Int(row[11]) != 0;
  return session;
}

}  // namespace

absl::Status StoreSession(db::Transaction& txn, const StoredSession& session) {
  return txn
      .Run(
          "INSERT INTO sessions (id, user_id, started_at_ms, expires_at_ms, used_at_ms, address,"
          " user_agent, trust, device_id, serial, tried_secured, ended)"
          " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
          {session.id, session.user_id, UnixMillis(session.started_at),
           UnixMillis(session.expires_at), UnixMillis(session.used_at), session.address,
           session.user_agent, static_cast<std::int64_t>(session.trust), session.device_id,
           session.serial, std::int64_t{session.tried_secured}, std::int64_t{session.ended}})
      .status();
}

// A replica of the release before ends sessions in its own table alone.
absl::StatusOr<std::optional<StoredSession>> FindSession(db::Transaction& txn,
                                                         const std::string& id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT id, user_id, started_at_ms, expires_at_ms, used_at_ms, address, user_agent,"
              " trust, device_id, serial, tried_secured, CASE WHEN ended <> 0 OR EXISTS (SELECT 1"
              " FROM ended_sessions WHERE session_id = $1) THEN 1 ELSE 0 END FROM sessions"
              " WHERE id = $1",
              {id}));
  if (rows.empty()) return std::nullopt;
  return SessionFromRow(rows.front());
}

absl::StatusOr<std::vector<StoredSession>> ListSessionsOf(db::Transaction& txn,
                                                          const std::string& user_id,
                                                          WallTime from) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT id, user_id, started_at_ms, expires_at_ms, used_at_ms, address, user_agent,"
              " trust, device_id, serial, tried_secured, ended FROM sessions WHERE user_id = $1"
              " AND started_at_ms >= $2 AND ended = 0 AND NOT EXISTS (SELECT 1 FROM ended_sessions"
              " WHERE session_id = id) ORDER BY used_at_ms DESC, id",
              {user_id, UnixMillis(from)}));
  std::vector<StoredSession> sessions;
  sessions.reserve(rows.size());
  for (const db::Row& row : rows) sessions.push_back(SessionFromRow(row));
  return sessions;
}

absl::StatusOr<std::vector<std::string>> ListSurplusSessions(db::Transaction& txn,
                                                             const std::string& user_id,
                                                             WallTime now) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT id FROM sessions WHERE user_id = $1 AND expires_at_ms > $2 AND ended = 0"
              " AND NOT EXISTS (SELECT 1 FROM ended_sessions WHERE session_id = id)"
              " ORDER BY used_at_ms DESC, started_at_ms DESC, id LIMIT 8 OFFSET $3",
              {user_id, UnixMillis(now), std::int64_t{kSessionsOfUserMax}}));
  std::vector<std::string> ids;
  for (const db::Row& row : rows) ids.push_back(db::Text(row[0]));
  return ids;
}

bool IsTouchDue(const StoredSession& session, const SessionUse& use, WallTime now) {
  const bool elsewhere = use.address != session.address || use.user_agent != session.user_agent;
  return elsewhere || now - session.used_at >= kUseRewrittenAfter;
}

absl::Status TouchSession(db::Transaction& txn, const StoredSession& session, const SessionUse& use,
                          WallTime now) {
  if (!IsTouchDue(session, use, now)) return absl::OkStatus();
  return txn
      .Run("UPDATE sessions SET used_at_ms = $2, address = $3, user_agent = $4 WHERE id = $1",
           {session.id, UnixMillis(std::max(now, session.used_at)), use.address, use.user_agent})
      .status();
}

absl::Status WriteSessionTrust(db::Transaction& txn, const StoredSession& session,
                               SessionTrust trust, const std::string& device_id,
                               const std::string& serial) {
  const bool trusted = trust == SessionTrust::kTrusted;
  const bool same = trust == session.trust && (!trusted || serial == session.serial);
  if (same) return absl::OkStatus();
  // Untrusted now, the session keeps what it has proved.
  return txn
      .Run("UPDATE sessions SET trust = $2, device_id = $3, serial = $4 WHERE id = $1",
           {session.id, static_cast<std::int64_t>(trust), trusted ? device_id : session.device_id,
            trusted ? serial : session.serial})
      .status();
}

absl::Status NoteSecuredTry(db::Transaction& txn, const std::string& session_id) {
  return txn.Run("UPDATE sessions SET tried_secured = 1 WHERE id = $1", {session_id}).status();
}

absl::Status NoteOpenedApp(db::Transaction& txn, const std::string& session_id,
                           const std::string& app_id, WallTime now) {
  return txn
      .Run(
          "INSERT INTO session_apps (session_id, app_id, opened_at_ms) VALUES ($1, $2, $3)"
          " ON CONFLICT (session_id, app_id) DO NOTHING",
          {session_id, app_id, UnixMillis(now)})
      .status();
}

absl::StatusOr<std::vector<std::string>> ListOpenedApps(db::Transaction& txn,
                                                        const std::string& session_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT app_id FROM session_apps WHERE session_id = $1 ORDER BY app_id",
              {session_id}));
  std::vector<std::string> apps;
  for (const db::Row& row : rows) apps.push_back(db::Text(row[0]));
  return apps;
}

absl::Status MarkSessionEnded(db::Transaction& txn, const std::string& session_id) {
  return txn.Run("UPDATE sessions SET ended = 1 WHERE id = $1", {session_id}).status();
}

absl::StatusOr<int> MarkSessionsEnded(db::Transaction& txn, const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("UPDATE sessions SET ended = 1 WHERE user_id = $1 AND ended = 0 RETURNING id",
              {user_id}));
  return static_cast<int>(rows.size());
}

absl::StatusOr<std::optional<WallTime>> OldestSessionStart(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT started_at_ms FROM sessions ORDER BY started_at_ms LIMIT 1"));
  if (rows.empty()) return std::nullopt;
  return AtUnixMillis(db::Int(rows.front()[0]));
}

absl::Status PruneSessions(db::Transaction& txn, WallTime now) {
  // A session without a row counts as one of an earlier release, which lasts kSessionLifetime: one
  // that was to be shorter must not become that.
  const std::int64_t expired = UnixMillis(now - kPruneMargin);
  const std::int64_t started = UnixMillis(now - kSessionLifetime - kPruneMargin);
  DT_RETURN_IF_ERROR(txn.Run("DELETE FROM session_apps WHERE session_id IN (SELECT id FROM sessions"
                             " WHERE started_at_ms < $1 AND expires_at_ms < $2)",
                             {started, expired})
                         .status());
  return txn
      .Run("DELETE FROM sessions WHERE started_at_ms < $1 AND expires_at_ms < $2",
           {started, expired})
      .status();
}

}  // namespace devicetrust::policy
