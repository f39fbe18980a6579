// Keeps the promise that a deactivated user's certificates are revoked (ORG-4): it is
// written with the deactivation and repeated until the CA has taken it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "devicetrust/ca/v1/ca.pb.h"
#include "libs/base/background_loop.h"
#include "libs/base/backoff.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::policy {

struct PeopleRevokerOptions {
  std::chrono::milliseconds retry_min{200};  // After a failure; doubles up to the next.
  std::chrono::milliseconds retry_max{5'000};
};

// Thread-safe. Owns one thread, which keeps the promises that an earlier run or a failed attempt
// left behind. The CA's call is idempotent, so to keep a promise twice does no harm.
class PeopleRevoker {
 public:
  // CertificateAdminService.RevokeForUser with a deadline of its own; ends within seconds.
  using Revoke = std::function<absl::StatusOr<ca::v1::RevokeForUserResponse>(
      const ca::v1::RevokeForUserRequest& request)>;

  // `database` has OrgMigrations() and must outlive this.
  PeopleRevoker(db::Database& database, Revoke revoke, PeopleRevokerOptions options = {});
  ~PeopleRevoker();
  PeopleRevoker(const PeopleRevoker&) = delete;
  PeopleRevoker& operator=(const PeopleRevoker&) = delete;

  // Part of the deactivation's transaction.
  static absl::Status Promise(db::Transaction& txn, const std::string& user_id,
                              const std::string& requested_by, WallTime now);

  // Runs `promise` (which commits a Promise() for the user), then asks the CA at once.
  // Returns how many certificates it revoked, or nothing when it did not take the call:
  // the promise stands and the thread goes on trying. An error is that of `promise`.
  absl::StatusOr<std::optional<std::int32_t>> PromiseAndTry(
      const std::string& user_id, const std::function<absl::Status()>& promise);

  // A promise for the user is not yet kept: whatever certificates the user has
  // will be revoked.
  static absl::StatusOr<bool> Waits(db::Transaction& txn, const std::string& user_id);

  absl::StatusOr<std::int64_t> Pending();  // Promises not yet kept.
  void Stop();                             // What waits stays in the store. Idempotent.

 private:
  struct Waiting {
    std::string user_id;
    std::string requested_by;
    std::int64_t sequence = 0;  // Of the promise: a newer one is another promise.
  };

  std::chrono::milliseconds Step();
  bool KeepAll();  // False: at least one is left.
  absl::StatusOr<std::vector<Waiting>> ReadWaiting(const std::string* user_id);
  absl::StatusOr<std::int32_t> Keep(const Waiting& waiting);

  db::Database& database_;
  const Revoke revoke_;
  Mutex mutex_;
  // Users that PromiseAndTry() is busy with.
  std::multiset<std::string> in_hand_ ABSL_GUARDED_BY(mutex_);
  Backoff retry_;  // Of the loop's thread.
  BackgroundLoop loop_;
};

}  // namespace devicetrust::policy
