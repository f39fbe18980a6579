// Keeps the promise that a deactivated user's certificates are revoked (ORG-4): it is
// written with the deactivation and repeated until the CA has taken it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "libs/base/background_loop.h"
#include "libs/base/backoff.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "policy-engine/users/certificate_revoker.h"

namespace devicetrust::policy {

struct UserRevokerOptions {
  std::chrono::milliseconds retry_min{200};  // After a failure; doubles up to the next.
  std::chrono::milliseconds retry_max{5'000};
};

// Thread-safe. Owns one thread, which keeps the promises that an earlier run or a failed attempt
// left behind. The CA's call is idempotent, so to keep a promise twice does no harm.
class UserRevoker {
 public:
  // `database` has OrgMigrations(). Both references must outlive this.
  UserRevoker(db::Database& database, CertificateRevoker& ca, UserRevokerOptions options = {});
  ~UserRevoker();
  UserRevoker(const UserRevoker&) = delete;
  UserRevoker& operator=(const UserRevoker&) = delete;

  // Part of the deactivation's transaction.
  static absl::Status Promise(db::Transaction& txn, const std::string& user_id,
                              const std::string& requested_by, WallTime now);

  // A promise for the user is not yet kept: whatever certificates the user has will be revoked.
  static absl::StatusOr<bool> Waits(db::Transaction& txn, const std::string& user_id);

  // While it lives, the thread leaves the promise for one user to the caller. What is not kept at
  // its end the thread takes up at once.
  class Hold {
   public:
    Hold(UserRevoker& revoker, std::string user_id);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // Asks the CA to revoke what is promised. Returns how many certificates it revoked; nothing:
    // the CA did not take the call, or no promise waits.
    std::optional<std::int32_t> KeepNow();

   private:
    UserRevoker& revoker_;
    const std::string user_id_;
    bool kept_ = false;
  };

  void Wake() { loop_.Wake(); }            // There are new promises.
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
  CertificateRevoker& ca_;
  Mutex mutex_;
  // Users whose promise somebody holds.
  std::multiset<std::string> in_hand_ ABSL_GUARDED_BY(mutex_);
  Backoff retry_;        // Of the loop's thread.
  BackgroundLoop loop_;  // Last: it uses all the others.
};

}  // namespace devicetrust::policy
