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
#include "policy-engine/users/group_store.h"

namespace devicetrust::policy {

struct StoredUser {
  org::v1::User user;
  WallTime sessions_from;  // Sessions that began before are over.
};

// kNotFound, USER_UNKNOWN: there is none.
absl::StatusOr<StoredUser> FindUserById(db::Transaction& txn, const std::string& id);
absl::StatusOr<StoredUser> FindUserBySid(db::Transaction& txn, const std::string& sid);
// Principals compare as the directory compares them (libs/base/names.h).
absl::StatusOr<StoredUser> FindUserByPrincipal(db::Transaction& txn, std::string_view principal);

// By principal, SID or id, in any case and with blanks around it.
absl::StatusOr<StoredUser> FindUserNamed(db::Transaction& txn, std::string_view name);

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
// the id, which for a new user is `new_id`. Returns the id. Nobody else may have the principal. The
// groups that the user joins and leaves go into `groups`, for the caller to write. `synced_from`:
// the domain whose directory keeps the user; "" for an import.
absl::StatusOr<std::string> StoreUser(db::Transaction& txn, const org::v1::UserImport& user,
                                      const std::string& new_id, GroupChanges& groups,
                                      const std::string& synced_from = {});

// The groups alone, one a line.
absl::Status StoreUserGroups(db::Transaction& txn, const std::string& id, const std::string& joined,
                             GroupChanges& groups);

inline constexpr std::size_t kUserIdOctets = 16;  // Of a new one.

// Who has deactivated a user. Whom the directory has, comes back with the account; whom an admin
// has, an admin alone brings back.
enum class DeactivatedBy : std::int64_t { kAdmin = 1, kDirectory = 2 };  // As stored.

// Who has a SID or a principal. Empty `id`: nobody.
struct KnownUser {
  std::string id;
  std::string sid;
  std::string principal;
  bool active = false;
  std::string synced_from;  // "": imported.
  bool deactivated_by_directory = false;
};
absl::StatusOr<KnownUser> FindKnownUser(db::Transaction& txn, const std::string& sid);
absl::StatusOr<KnownUser> FindPrincipalOwner(db::Transaction& txn, std::string_view principal);

// Takes the principal from a user, who keeps `instead`, which nobody else has.
absl::Status FreePrincipal(db::Transaction& txn, const std::string& id, const std::string& instead);

// Users in the order of their principals, from the one after `after_principal`; with `query`
// only those whose principal or display name begins with it, as names compare.
absl::StatusOr<std::vector<org::v1::User>> ListUsersAfter(db::Transaction& txn,
                                                          const std::string& query,
                                                          const std::string& after_principal,
                                                          int count_max);

// What rules ask of people: the users in the order of their ids, from the one after `after_id`.
struct PersonRow {
  std::string id;
  std::string principal;
  std::vector<std::string> groups;
  bool active = false;
};
absl::StatusOr<std::vector<PersonRow>> ListPeopleAfter(db::Transaction& txn,
                                                       const std::string& after_id, int count_max);

// How the names of users that an earlier release stored compare. Once, at the start.
absl::Status FillNameKeys(db::Transaction& txn);

// Deactivates or activates; sessions that began before `at` are over either way.
absl::Status WriteUserStatus(db::Transaction& txn, const std::string& id,
                             org::v1::UserStatus status, WallTime at,
                             DeactivatedBy by = DeactivatedBy::kAdmin);
// Sessions that began before `at` are over.
absl::Status WriteSessionsFrom(db::Transaction& txn, const std::string& id, WallTime at);

}  // namespace devicetrust::policy
