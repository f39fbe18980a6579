#pragma once

#include <chrono>
#include <map>
#include <string>
#include <unordered_map>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/directory/registry.h"

namespace devicetrust::policy {

// How long a domain that does not answer is left in peace.
inline constexpr std::chrono::seconds kDomainAskedAgainAfter{10};

struct AccountWatchLimits {
  // How old the directory's word on an account may be when its session opens an app.
  std::chrono::minutes check_after{15};
  // How much older while the directory does not answer.
  std::chrono::minutes grace{60};
};

// What a directory says of an account: kUnauthenticated: USER_DISABLED, ACCOUNT_EXPIRED,
// ACCOUNT_LOCKED.
absl::Status CheckAccount(const directory::User& user, WallTime now);

// Whether the accounts behind open sessions are still good in the directory: whom Active Directory
// has locked, disabled, expired or deleted opens nothing more. In memory of this process: after a
// restart each account is asked about once. Thread-safe.
class AccountWatch {
 public:
  // `directories` outlives it. `now`: when the process started.
  AccountWatch(const directory::Registry& directories, WallTime now, AccountWatchLimits limits = {})
      : directories_(directories), started_(now), limits_(limits) {}

  // The directory has just said that the user's account is good.
  void Saw(const std::string& user_id, WallTime now);

  // The last word is too old: call Check().
  bool IsDue(const std::string& user_id, WallTime now) const;

  // Asks the directory, with one search. It may block as long as a call of the directory: never in
  // a transaction. OK also while the directory is away and the last word is not older than both
  // limits together; one that is known to be away is not asked, so that no sign-on waits for it.
  //
  // kUnauthenticated: USER_DISABLED, ACCOUNT_LOCKED, ACCOUNT_EXPIRED, USER_NOT_IN_DOMAIN.
  // kUnavailable, DEPENDENCY_UNAVAILABLE: the directory has been away for too long.
  absl::Status Check(const std::string& user_id, const std::string& sid, WallTime now);

  // Asks those domains again that did not answer. It blocks as long as a call of each. Every
  // kDomainAskedAgainAfter.
  void AskAgain();

  // Drops what is of no more use. Now and then.
  void Prune(WallTime now);

 private:
  bool IsAway(const directory::Domain& domain) const;
  absl::Status WhileAway(const std::string& user_id, WallTime now) const;

  const directory::Registry& directories_;
  const WallTime started_;
  const AccountWatchLimits limits_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, WallTime> seen_ ABSL_GUARDED_BY(mutex_);  // By user id.
  // Domains that did not answer, with the SID that they were asked for.
  std::map<const directory::Domain*, std::string> away_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::policy
