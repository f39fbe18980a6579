// Users who administer the org, and the sessions in which they may: as rows, functions on a
// transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "devicetrust/access/v1/access.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "libs/rpc/caller.h"

namespace devicetrust::policy {

struct AdminRow {
  std::string user_id;
  access::v1::Role role = access::v1::ROLE_UNSPECIFIED;
  std::string granted_by;
  WallTime granted_at;
};

absl::Status StoreAdminRole(db::Transaction& txn, const AdminRow& row);
// Whether there was one.
absl::StatusOr<bool> RemoveAdminRole(db::Transaction& txn, const std::string& user_id);
absl::StatusOr<std::optional<AdminRow>> FindAdminRole(db::Transaction& txn,
                                                      const std::string& user_id);
absl::StatusOr<std::vector<AdminRow>> ListAdminRoles(db::Transaction& txn);

// kPermissionDenied, CALLER_NOT_ALLOWED: `admin` is one of the console without being a super admin,
// and the user is another: else a help desk could shut every super admin out.
absl::Status CheckMayChange(db::Transaction& txn, const rpc::Caller& admin,
                            const std::string& user_id);

// A session of a user who had a role when it began, as this org opened it: no gateway's word.
struct ConsoleSession {
  std::string user_id;
  WallTime begun_at;
  std::optional<WallTime> factor_at;  // Of the console; nothing: it is closed.
  WallTime used_at;
};

// Of a session that has just begun. Nothing happens when the user has no role.
absl::Status NoteAdminSession(db::Transaction& txn, const std::string& session_id,
                              const std::string& user_id, WallTime now);
absl::StatusOr<std::optional<ConsoleSession>> FindConsoleSession(db::Transaction& txn,
                                                                 const std::string& session_id);
absl::Status OpenConsoleSession(db::Transaction& txn, const std::string& session_id, WallTime now);
absl::Status TouchConsoleSession(db::Transaction& txn, const std::string& session_id, WallTime now);
absl::Status CloseConsoleSession(db::Transaction& txn, const std::string& session_id);
// All of a user: whoever's role or second factor has changed shows the factor again.
absl::Status CloseConsoleSessionsOf(db::Transaction& txn, const std::string& user_id);
// Those that began before `oldest`.
absl::Status PruneConsoleSessions(db::Transaction& txn, WallTime oldest);

}  // namespace devicetrust::policy
