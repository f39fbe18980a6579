#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/serial_set.h"

namespace devicetrust::ca {

// A gateway whose clock is a day behind takes an expired certificate for good that long, and a
// session that the certificate proved lasts 7 days at most: it must not come back.
inline constexpr std::chrono::days kKeptAfterExpiry{8};

// All that is revoked, in the form in which gateways that start get it. Read from the store when
// it is first asked for, afterwards kept up to date by what changed since, and read afresh once a
// day: certificates that have expired when it is read are left out. Thread-safe.
class RevokedSet {
 public:
  struct Contents {
    std::int64_t sequence = 0;  // Of the last change that is in it.
    pki::SerialSet keys;
    std::set<std::string> serials;  // Of lengths that have no key.
  };

  // Both must outlive it.
  RevokedSet(db::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  // With everything that was committed before the call. Errors: those of rpc::StoreError.
  absl::StatusOr<std::shared_ptr<const Contents>> UpToDate();

 private:
  db::Database& database_;
  const Clock& clock_;
  Mutex mutex_;
  WallTime read_at_ ABSL_GUARDED_BY(mutex_);  // From the beginning on.
  std::shared_ptr<const Contents> contents_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const Contents>();
};

}  // namespace devicetrust::ca
