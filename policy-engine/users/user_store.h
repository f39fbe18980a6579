// Users as rows: functions on a transaction, so that a change of a user is part of whatever it
// belongs to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

struct StoredUser {
  org::v1::User user;
  WallTime sessions_from;  // Sessions that began before are over.
};

// kNotFound, USER_UNKNOWN: there is none.
absl::StatusOr<StoredUser> FindUserById(db::Transaction& txn, const std::string& id);
absl::StatusOr<StoredUser> FindUserBySid(db::Transaction& txn, const std::string& sid);
// Principals are compared without regard to ASCII case.
absl::StatusOr<StoredUser> FindUserByPrincipal(db::Transaction& txn, std::string_view principal);

// What an enrollment asks of a user; nullopt: the org knows none of this SID.
struct EnrollingUser {
  std::string id;
  std::string principal;
  bool active = false;
  bool from_ad = false;
};
absl::StatusOr<std::optional<EnrollingUser>> FindEnrollingUser(db::Transaction& txn,
                                                               const std::string& sid);

// Adds the user, or updates whoever has the SID: names, address, groups; not the status, and not
// the id, which for a new user is `new_id`. Returns the id.
// kInvalidArgument, ALREADY_EXISTS: another user has the principal.
absl::StatusOr<std::string> StoreUser(db::Transaction& txn, const org::v1::UserImport& user,
                                      const std::string& new_id);

// The id of the user with this SID; empty: there is none.
absl::StatusOr<std::string> FindUserId(db::Transaction& txn, const std::string& sid);

// Lower case, as principals are stored and compared.
std::string LowerPrincipal(std::string_view principal);

// Users in the order of their principals, from the one after `after_principal`; with `query`
// only those whose principal or display name begins with it, without regard to ASCII case.
absl::StatusOr<std::vector<org::v1::User>> ListUsersAfter(db::Transaction& txn,
                                                          const std::string& query,
                                                          const std::string& after_principal,
                                                          int count_max);

// Deactivates or activates; sessions that began before `at` are over either way.
absl::Status WriteUserStatus(db::Transaction& txn, const std::string& id,
                             org::v1::UserStatus status, WallTime at);

}  // namespace devicetrust::policy
