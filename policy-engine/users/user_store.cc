#include "policy-engine/users/user_store.h"

#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/names.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

#define DT_USER_COLUMNS                                                                     \
  "SELECT u.id, u.sid, u.principal, u.account_name, u.display_name, u.email, u.given_name," \
  " u.surname, u.group_names, u.status, u.from_ad, u.sessions_from_ms, f.user_id,"          \
  " u.synced_from, u.deactivated_by"                                                        \
  " FROM users u LEFT JOIN factors f ON f.user_id = u.id WHERE "
constexpr std::string_view kById = DT_USER_COLUMNS "u.id = $1";
constexpr std::string_view kBySid = DT_USER_COLUMNS "u.sid = $1";
constexpr std::string_view kByPrincipal = DT_USER_COLUMNS "u.principal_key = $1";
constexpr std::string_view kListed = DT_USER_COLUMNS
    "u.principal_key > $1 AND (u.principal_key LIKE $2 ESCAPE '!'"
    " OR u.display_key LIKE $2 ESCAPE '!') ORDER BY u.principal_key LIMIT $3";
#undef DT_USER_COLUMNS

constexpr auto kByDirectory = static_cast<std::int64_t>(DeactivatedBy::kDirectory);

StoredUser UserFromRow(const db::Row& row) {
  StoredUser stored;
  v1::User& user = stored.user;
  user.set_id(db::Text(row[0]));
  user.set_sid(db::Text(row[1]));
  user.set_principal(db::Text(row[2]));
  user.set_account_name(db::Text(row[3]));
  user.set_display_name(db::Text(row[4]));
  user.set_email(db::Text(row[5]));
  user.set_given_name(db::Text(row[6]));
  user.set_surname(db::Text(row[7]));
  ForEachGroup(db::Text(row[8]),
               [&user](std::string_view group) { user.add_groups(std::string(group)); });
  user.set_status(db::Int(row[9]) == v1::USER_STATUS_ACTIVE ? v1::USER_STATUS_ACTIVE
                                                            : v1::USER_STATUS_DEACTIVATED);
  user.set_from_ad(db::Int(row[10]) != 0);
  if (!db::IsNull(row[12])) user.add_factors()->mutable_totp();
  user.set_synced_from(db::Text(row[13]));
  user.set_deactivated_by_directory(user.status() == v1::USER_STATUS_DEACTIVATED &&
                                    db::Int(row[14]) == kByDirectory);
  stored.sessions_from = AtUnixMillis(db::Int(row[11]));
  return stored;
}

absl::StatusOr<StoredUser> FindUser(db::Transaction& txn, std::string_view sql,
                                    const std::string& key) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run(sql, {key}));
  if (rows.empty()) {
    return rpc::MakeError(
        absl::StatusCode::kNotFound, reason::v1::REASON_USER_UNKNOWN, "the org has no such user",
        key,
        "Write the whole principal, user@domain; import the user from Active Directory if new.");
  }
  return UserFromRow(rows.front());
}

std::string JoinGroups(const v1::UserImport& user) {
  std::string joined;
  for (const std::string& group : user.groups()) {
    if (!joined.empty()) joined += '\n';
    joined += group;
  }
  return joined;
}

// A LIKE pattern for what begins with `text`.
std::string BeginsWith(std::string_view text) {
  std::string pattern;
  for (const char c : FoldName(text)) {
    if (c == '%' || c == '_' || c == '!') pattern += '!';
    pattern += c;
  }
  return pattern + '%';
}

KnownUser KnownUserFrom(const std::vector<db::Row>& rows) {
  if (rows.empty()) return {};
  const db::Row& row = rows.front();
  return {db::Text(row[0]), db::Text(row[1]),
          db::Text(row[2]), db::Int(row[3]) == v1::USER_STATUS_ACTIVE,
          db::Text(row[4]), db::Int(row[5]) == kByDirectory};
}

}  // namespace

absl::StatusOr<StoredUser> FindUserById(db::Transaction& txn, const std::string& id) {
  return FindUser(txn, kById, id);
}

absl::StatusOr<StoredUser> FindUserBySid(db::Transaction& txn, const std::string& sid) {
  return FindUser(txn, kBySid, sid);
}

absl::StatusOr<StoredUser> FindUserByPrincipal(db::Transaction& txn, std::string_view principal) {
  return FindUser(txn, kByPrincipal, FoldName(principal));
}

absl::StatusOr<std::optional<EnrollingUser>> FindEnrollingUser(db::Transaction& txn,
                                                               const std::string& sid) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT id, principal, status, from_ad FROM users WHERE sid = $1", {sid}));
  if (rows.empty()) return std::optional<EnrollingUser>();
  const db::Row& row = rows.front();
  return std::optional<EnrollingUser>({db::Text(row[0]), db::Text(row[1]),
                                       db::Int(row[2]) == v1::USER_STATUS_ACTIVE,
                                       db::Int(row[3]) != 0});
}

absl::StatusOr<std::string> StoreUser(db::Transaction& txn, const v1::UserImport& user,
                                      const std::string& new_id, GroupChanges& groups,
                                      const std::string& synced_from) {
  DT_ASSIGN_OR_RETURN(const auto before,
                      txn.Run("SELECT group_names FROM users WHERE sid = $1", {user.sid()}));
  const std::string joined = JoinGroups(user);
  groups.Move(before.empty() ? "" : db::Text(before.front()[0]), joined);
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("INSERT INTO users (id, sid, principal, principal_key, account_name, display_name,"
              " display_key, email, given_name, surname, group_names, status, from_ad,"
              " sessions_from_ms, synced_from)"
              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, 0, $13)"
              " ON CONFLICT (sid) DO UPDATE SET principal = excluded.principal,"
              " principal_key = excluded.principal_key, account_name = excluded.account_name,"
              " display_name = excluded.display_name, display_key = excluded.display_key,"
              " email = excluded.email, given_name = excluded.given_name,"
              " surname = excluded.surname, group_names = excluded.group_names,"
              " synced_from = excluded.synced_from RETURNING id",
              // In small letters, as apps have always been told principals.
              {new_id, user.sid(), LowerCase(user.principal()), FoldName(user.principal()),
               user.account_name(), user.display_name(), FoldName(user.display_name()),
               user.email(), user.given_name(), user.surname(), joined,
               std::int64_t{v1::USER_STATUS_ACTIVE}, synced_from}));
  return db::Text(rows.front()[0]);
}

absl::Status StoreUserGroups(db::Transaction& txn, const std::string& id, const std::string& joined,
                             GroupChanges& groups) {
  DT_ASSIGN_OR_RETURN(const auto before,
                      txn.Run("SELECT group_names FROM users WHERE id = $1", {id}));
  groups.Move(before.empty() ? "" : db::Text(before.front()[0]), joined);
  return txn.Run("UPDATE users SET group_names = $2 WHERE id = $1", {id, joined}).status();
}

absl::StatusOr<KnownUser> FindKnownUser(db::Transaction& txn, const std::string& sid) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT id, sid, principal, status, synced_from, deactivated_by"
                              " FROM users WHERE sid = $1",
                              {sid}));
  return KnownUserFrom(rows);
}

absl::StatusOr<KnownUser> FindPrincipalOwner(db::Transaction& txn, std::string_view principal) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT id, sid, principal, status, synced_from, deactivated_by"
                              " FROM users WHERE principal_key = $1",
                              {FoldName(principal)}));
  return KnownUserFrom(rows);
}

absl::Status FreePrincipal(db::Transaction& txn, const std::string& id,
                           const std::string& instead) {
  return txn
      .Run("UPDATE users SET principal = $2, principal_key = $3 WHERE id = $1",
           {id, instead, FoldName(instead)})
      .status();
}

absl::Status FillNameKeys(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT id, principal, display_name FROM users WHERE principal_key IS NULL"));
  for (const db::Row& row : rows) {
    const std::string& id = db::Text(row[0]);
    std::string key = FoldName(db::Text(row[1]));
    DT_ASSIGN_OR_RETURN(const KnownUser owner, FindPrincipalOwner(txn, db::Text(row[1])));
    // Two that were told apart in another case: the second is found by id and SID until an import
    // gives it a principal of its own.
    if (!owner.id.empty()) key += '\n' + id;
    DT_RETURN_IF_ERROR(
        txn.Run("UPDATE users SET principal_key = $2, display_key = $3 WHERE id = $1",
                {id, key, FoldName(db::Text(row[2]))})
            .status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::User>> ListUsersAfter(db::Transaction& txn, const std::string& query,
                                                     const std::string& after_principal,
                                                     int count_max) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run(kListed, {FoldName(after_principal), BeginsWith(query), std::int64_t{count_max}}));
  std::vector<v1::User> users;
  for (const db::Row& row : rows) users.push_back(UserFromRow(row).user);
  return users;
}

absl::StatusOr<StoredUser> FindUserNamed(db::Transaction& txn, std::string_view name) {
  name = TrimName(name);
  if (name.find('@') != name.npos) return FindUserByPrincipal(txn, name);
  std::string text(name);
  if (EqualIgnoringCase(name.substr(0, 4), "S-1-")) {
    text[0] = 'S';
    return FindUserBySid(txn, text);
  }
  absl::StatusOr<StoredUser> by_id = FindUserById(txn, text);
  if (absl::IsNotFound(by_id.status())) by_id = FindUserById(txn, LowerCase(text));  // Hex.
  return by_id;
}

absl::StatusOr<std::vector<PersonRow>> ListPeopleAfter(db::Transaction& txn,
                                                       const std::string& after_id, int count_max) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT id, principal, group_names, status FROM users WHERE id > $1"
                              " ORDER BY id LIMIT $2",
                              {after_id, std::int64_t{count_max}}));
  std::vector<PersonRow> people;
  people.reserve(rows.size());
  for (const db::Row& row : rows) {
    PersonRow& person = people.emplace_back();
    person.id = db::Text(row[0]);
    person.principal = db::Text(row[1]);
    ForEachGroup(db::Text(row[2]),
                 [&person](std::string_view group) { person.groups.emplace_back(group); });
    person.active = db::Int(row[3]) == v1::USER_STATUS_ACTIVE;
  }
  return people;
}

absl::Status WriteUserStatus(db::Transaction& txn, const std::string& id, v1::UserStatus status,
                             WallTime at, DeactivatedBy by) {
  return txn
      .Run("UPDATE users SET status = $2, sessions_from_ms = $3, deactivated_by = $4 WHERE id = $1",
           {id, std::int64_t{status}, UnixMillis(at), static_cast<std::int64_t>(by)})
      .status();
}

absl::Status WriteSessionsFrom(db::Transaction& txn, const std::string& id, WallTime at) {
  return txn.Run("UPDATE users SET sessions_from_ms = $2 WHERE id = $1", {id, UnixMillis(at)})
      .status();
}

}  // namespace devicetrust::policy
