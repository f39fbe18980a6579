// People as rows: functions on a transaction, so that a change of a person is part of
// whatever it belongs to.
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

struct Person {
  org::v1::User user;
  WallTime sessions_from;  // Sessions that began before are over.
};

// kNotFound, USER_UNKNOWN: there is none.
absl::StatusOr<Person> FindPersonById(db::Transaction& txn, const std::string& id);
absl::StatusOr<Person> FindPersonBySid(db::Transaction& txn, const std::string& sid);
// Principals are compared without regard to ASCII case.
absl::StatusOr<Person> FindPersonByPrincipal(db::Transaction& txn, std::string_view principal);

// What an enrollment asks of a user; nullopt: the org knows none of this SID.
struct Enrollee {
  std::string id;
  std::string principal;
  bool active = false;
  bool from_ad = false;
};
absl::StatusOr<std::optional<Enrollee>> FindEnrollee(db::Transaction& txn, const std::string& sid);

// Adds the person, or updates whoever has the SID: name, address, groups; not the status, and
// not the id, which for a new person is `new_id`. Returns the id and whether it is new.
// kAlreadyExists: another person has the principal.
struct StoredPerson {
  std::string id;
  bool added = false;
};
absl::StatusOr<StoredPerson> StorePerson(db::Transaction& txn, const org::v1::UserImport& person,
                                         const std::string& new_id);

// Lower case, as principals are stored and compared.
std::string LowerPrincipal(std::string_view principal);

// People in the order of their principals, from the one after `after_principal`; with `query`
// only those whose principal or display name begins with it, without regard to ASCII case.
absl::StatusOr<std::vector<org::v1::User>> ListPeople(db::Transaction& txn,
                                                      const std::string& query,
                                                      const std::string& after_principal,
                                                      int count_max);

// Deactivates or activates; sessions that began before `at` are over either way.
absl::Status SetPersonStatus(db::Transaction& txn, const std::string& id,
                             org::v1::UserStatus status, WallTime at);

}  // namespace devicetrust::policy
