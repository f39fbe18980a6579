// What a mirror of a directory makes of an import: each person judged alone, and the call by the
// state that it ends in.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

inline constexpr int kUsersPerImportMax = 5'000;
inline constexpr std::size_t kNameCharactersMax = 256;  // Of every name but the principal.
inline constexpr std::size_t kPrincipalBytesMax = 256;  // What may be typed at the sign-in.

// A person to import, with blanks around the names gone (libs/base/names.h). `status` says why the
// person cannot be taken, with reason and remedy.
struct ImportedPerson {
  org::v1::UserImport user;
  absl::Status status;
  std::string owner_sid;  // Of the user who has the principal, when that is why.
  bool synced = false;    // A directory keeps the names and groups: none of `user` are taken.
};

// Judges the people of a call by what the call says of them: complete, not too long, and of those
// who share SID or principal none can be taken. A display name that is too long is cut, between two
// characters; it is no more than shown.
// kInvalidArgument, MALFORMED_REQUEST: more than kUsersPerImportMax.
absl::StatusOr<std::vector<ImportedPerson>> JudgeImport(const org::v1::ImportUsersRequest& request);

struct ImportPlan {
  std::vector<KnownUser> moving;  // Of the call: their principals of before are free, or others'.
  // Not of the call, and without their principal now, since somebody of the call has it: in the
  // directory a principal is one account's, so that theirs is gone.
  struct Retiring {
    KnownUser user;
    std::size_t successor = 0;  // Index of the person who has the principal.
  };
  std::vector<Retiring> retiring;
};

// Judges those who can be taken by what the org knows. A person whose principal somebody else has
// is refused (ALREADY_EXISTS), unless that one moves in this call or, with `take_over`, is not in
// it.
absl::StatusOr<ImportPlan> PlanImport(db::Transaction& txn, bool take_over,
                                      std::vector<ImportedPerson>& people);

// What a retiring user is called from then on: nobody can sign in by it.
std::string RetiredPrincipal(const KnownUser& user);

}  // namespace devicetrust::policy
