#include "policy-engine/sessions/session_changes.h"

#include <algorithm>

#include "libs/db/sequence.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/sessions/session_limits.h"
#include "policy-engine/sessions/session_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

// The sequence of changes, and the topic that they are announced under.
constexpr std::string_view kSequence = "session_changes";

enum ChangeKind : std::int64_t { kEnded = 1, kDeactivated = 2, kActivated = 3 };

absl::Status AppendChange(db::Transaction& txn, ChangeKind kind, const std::string& subject,
                          WallTime at) {
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence,
                      db::NextSequence(txn, kSequence, UnixMicros(at)));
  txn.Announce(kSequence);
  return txn
      .Run("INSERT INTO session_changes (sequence, at_ms, kind, subject) VALUES ($1, $2, $3, $4)",
           {sequence, UnixMillis(at), std::int64_t{kind}, subject})
      .status();
}

v1::SessionChange ChangeFromRow(const db::Row& row) {
  v1::SessionChange change;
  change.set_sequence(db::Int(row[0]));
  *change.mutable_at() = rpc::ToTimestamp(AtUnixMillis(db::Int(row[1])));
  switch (db::Int(row[2])) {
    case kEnded:
      change.set_ended_session_id(db::Text(row[3]));
      break;
    case kDeactivated:
      change.set_deactivated_user_id(db::Text(row[3]));
      break;
    default:
      change.set_activated_user_id(db::Text(row[3]));
      break;
  }
  return change;
}

}  // namespace

SessionChanges::SessionChanges(db::Database& database)
    : database_(database), watch_(database_.WatchTopic(kSequence, [this] { announced_.Fire(); })) {}

absl::Status SessionChanges::AppendEnded(db::Transaction& txn, const std::string& session_id,
                                         WallTime at) {
  DT_RETURN_IF_ERROR(MarkSessionEnded(txn, session_id));
  DT_ASSIGN_OR_RETURN(const auto inserted,
                      txn.Run("INSERT INTO ended_sessions (session_id, ended_at_ms)"
                              " VALUES ($1, $2) ON CONFLICT (session_id) DO NOTHING"
                              " RETURNING session_id",
                              {session_id, UnixMillis(at)}));
  if (inserted.empty()) return absl::OkStatus();
  return AppendChange(txn, kEnded, session_id, at);
}

absl::Status SessionChanges::AppendUserStatus(db::Transaction& txn, const std::string& user_id,
                                              bool active, WallTime at) {
  return AppendChange(txn, active ? kActivated : kDeactivated, user_id, at);
}

absl::Status SessionChanges::EndSession(const std::string& session_id, WallTime at) {
  return database_.Write([&](db::Transaction& txn) { return AppendEnded(txn, session_id, at); });
}

absl::StatusOr<bool> SessionChanges::HasEnded(db::Transaction& txn, const std::string& session_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT session_id FROM ended_sessions WHERE session_id = $1", {session_id}));
  return !rows.empty();
}

absl::StatusOr<SessionChanges::Following> SessionChanges::After(std::int64_t after, int limit) {
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Following> {
    DT_ASSIGN_OR_RETURN(const std::int64_t last, db::LastSequence(txn, kSequence));
    DT_RETURN_IF_ERROR(rpc::CheckPosition(after, last));
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("SELECT sequence, at_ms, kind, subject FROM session_changes"
                                " WHERE sequence > $1 ORDER BY sequence LIMIT $2",
                                {after, std::int64_t{limit}}));
    Following following;
    DT_ASSIGN_OR_RETURN(following.oldest_session_at, OldestSessionStart(txn));
    for (const db::Row& row : rows) following.changes.push_back(ChangeFromRow(row));
    following.sequence = following.changes.empty() ? after : following.changes.back().sequence();
    return following;
  });
}

absl::Status SessionChanges::Prune(WallTime now) {
  return database_.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(PruneSessions(txn, now));
    DT_ASSIGN_OR_RETURN(const std::optional<WallTime> oldest, OldestSessionStart(txn));
    const WallTime usual = now - kSessionLifetime;
    const std::int64_t limit = UnixMillis(oldest ? std::min(*oldest, usual) : usual);
    DT_RETURN_IF_ERROR(
        txn.Run("DELETE FROM ended_sessions WHERE ended_at_ms < $1", {limit}).status());
    DT_RETURN_IF_ERROR(
        txn.Run("DELETE FROM session_changes WHERE kind = 1 AND at_ms < $1", {limit}).status());
    // People sign out everywhere as often as they like: of each user the last says it all.
    return txn
        .Run("DELETE FROM session_changes WHERE kind <> 1 AND at_ms < $1 AND sequence NOT IN"
             " (SELECT MAX(sequence) FROM session_changes WHERE kind <> 1 GROUP BY kind, subject)",
             {limit})
        .status();
  });
}

}  // namespace devicetrust::policy
