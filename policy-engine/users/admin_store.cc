#include "policy-engine/users/admin_store.h"

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

// The id of a live session opens doors, so the store has its hash.
std::string KeyOf(const std::string& session_id) {
  return Base64UrlEncode(pki::Sha256(session_id));
}

AdminRow ToAdminRow(const db::Row& row) {
  return {db::Text(row[0]), static_cast<access::v1::Role>(db::Int(row[1])), db::Text(row[2]),
          AtUnixSeconds(db::Int(row[3]))};
}

}  // namespace

absl::Status StoreAdminRole(db::Transaction& txn, const AdminRow& row) {
  return txn
      .Run(
          "INSERT INTO admin_roles (user_id, role, granted_by, granted_at) VALUES ($1, $2, $3, $4)"
          " ON CONFLICT (user_id) DO UPDATE SET role = excluded.role,"
          " granted_by = excluded.granted_by, granted_at = excluded.granted_at",
          {row.user_id, static_cast<std::int64_t>(row.role), row.granted_by,
           UnixSeconds(row.granted_at)})
      .status();
}

absl::StatusOr<bool> RemoveAdminRole(db::Transaction& txn, const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(const auto found, FindAdminRole(txn, user_id));
  DT_RETURN_IF_ERROR(txn.Run("DELETE FROM admin_roles WHERE user_id = $1", {user_id}).status());
  return found.has_value();
}

absl::StatusOr<std::optional<AdminRow>> FindAdminRole(db::Transaction& txn,
                                                      const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT user_id, role, granted_by, granted_at FROM admin_roles WHERE user_id = $1",
              {user_id}));
  if (rows.empty()) return std::optional<AdminRow>();
  return std::optional<AdminRow>(ToAdminRow(rows.front()));
}

absl::StatusOr<std::vector<AdminRow>> ListAdminRoles(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT user_id, role, granted_by, granted_at FROM admin_roles"
                              " ORDER BY user_id"));
  std::vector<AdminRow> found;
  for (const db::Row& row : rows) found.push_back(ToAdminRow(row));
  return found;
}

absl::Status CheckMayChange(db::Transaction& txn, const rpc::Caller& admin,
                            const std::string& user_id) {
  if (admin.user_id.empty()) return absl::OkStatus();  // With a certificate.
  DT_ASSIGN_OR_RETURN(const auto own, FindAdminRole(txn, admin.user_id));
  if (own && own->role == access::v1::ROLE_SUPER_ADMIN) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const auto other, FindAdminRole(txn, user_id));
  if (!other) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                        "the user is an administrator, too", user_id, "Ask a super admin.");
}

absl::Status NoteAdminSession(db::Transaction& txn, const std::string& session_id,
                              const std::string& user_id, WallTime now) {
  DT_ASSIGN_OR_RETURN(const auto role, FindAdminRole(txn, user_id));
  if (!role) return absl::OkStatus();
  return txn
      .Run(
          "INSERT INTO console_sessions (session_key, user_id, begun_at, factor_at, used_at)"
          " VALUES ($1, $2, $3, 0, $3) ON CONFLICT (session_key) DO NOTHING",
          {KeyOf(session_id), user_id, UnixSeconds(now)})
      .status();
}

absl::StatusOr<std::optional<ConsoleSession>> FindConsoleSession(db::Transaction& txn,
                                                                 const std::string& session_id) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT user_id, begun_at, factor_at, used_at FROM console_sessions"
                              " WHERE session_key = $1",
                              {KeyOf(session_id)}));
  if (rows.empty()) return std::optional<ConsoleSession>();
  const db::Row& row = rows.front();
  ConsoleSession session{db::Text(row[0]), AtUnixSeconds(db::Int(row[1])), std::nullopt,
                         AtUnixSeconds(db::Int(row[3]))};
  if (db::Int(row[2]) != 0) session.factor_at = AtUnixSeconds(db::Int(row[2]));
  return std::optional<ConsoleSession>(std::move(session));
}

absl::Status OpenConsoleSession(db::Transaction& txn, const std::string& session_id, WallTime now) {
  return txn
      .Run("UPDATE console_sessions SET factor_at = $2, used_at = $2 WHERE session_key = $1",
           {KeyOf(session_id), UnixSeconds(now)})
      .status();
}

absl::Status TouchConsoleSession(db::Transaction& txn, const std::string& session_id,
                                 WallTime now) {
  return txn
      .Run("UPDATE console_sessions SET used_at = $2 WHERE session_key = $1",
           {KeyOf(session_id), UnixSeconds(now)})
      .status();
}

absl::Status CloseConsoleSession(db::Transaction& txn, const std::string& session_id) {
  return txn
      .Run("UPDATE console_sessions SET factor_at = 0 WHERE session_key = $1", {KeyOf(session_id)})
      .status();
}

absl::Status CloseConsoleSessionsOf(db::Transaction& txn, const std::string& user_id) {
  return txn.Run("UPDATE console_sessions SET factor_at = 0 WHERE user_id = $1", {user_id})
      .status();
}

absl::Status PruneConsoleSessions(db::Transaction& txn, WallTime oldest) {
  return txn.Run("DELETE FROM console_sessions WHERE begun_at < $1", {UnixSeconds(oldest)})
      .status();
}

}  // namespace devicetrust::policy
