#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ca-service/issuers.h"
#include "ca-service/revocations.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

inline constexpr std::chrono::hours kCrlLifetime{24};  // Rebuilt at half of it, or earlier.

// The current list of each issuer, by its id.
using CrlSet = std::map<std::string, std::shared_ptr<const StoredCrl>, std::less<>>;

// Keeps the current CRL of each issuer: rebuilt as soon as one of its certificates is revoked, and
// made within a second for an issuer that is new. A number names one list for ever; it is stored
// before the list is served. Owns one thread. Thread-safe.
class CrlPublisher {
 public:
  // Has a list of each issuer once it returns. All references must outlive it.
  static absl::StatusOr<std::unique_ptr<CrlPublisher>> Start(db::Database& database,
                                                             const Issuers& issuers,
                                                             Revocations& revocations,
                                                             const Clock& clock);
  // Stop Revocations::committed() before.
  ~CrlPublisher();
  CrlPublisher(const CrlPublisher&) = delete;
  CrlPublisher& operator=(const CrlPublisher&) = delete;

  using Receiver = std::function<void(std::shared_ptr<const CrlSet>)>;
  // Hands over lists with everything that was revoked before the call, as soon as there are
  // such: at once, or later on the publisher's thread, so the receiver must not block. An
  // issuer's last list when no newer one can be made: it stays true, and a log line tells why.
  void WhenUpToDate(Receiver receiver);

 private:
  CrlPublisher(db::Database& database, const Issuers& issuers, Revocations& revocations,
               const Clock& clock)
      : database_(database), issuers_(issuers), revocations_(revocations), clock_(clock) {}

  struct Waiter {
    std::uint64_t generation;  // Of the revocations, when it came.
    Receiver receiver;
  };

  std::shared_ptr<const CrlSet> Current();
  void Run();
  // Serves those who wait for what was revoked up to `generation`.
  void Release(std::uint64_t generation);
  absl::Status Publish();
  // Of one issuer: `current` while it is fresh, else a new one.
  absl::StatusOr<std::shared_ptr<const StoredCrl>> ListOf(
      const Issuer& issuer, const std::shared_ptr<const StoredCrl>& current);
  absl::StatusOr<StoredCrl> Build(const Issuer& issuer, WallTime now);

  db::Database& database_;
  const Issuers& issuers_;
  Revocations& revocations_;
  const Clock& clock_;
  Mutex mutex_;
  std::shared_ptr<const CrlSet> current_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const CrlSet>();
  std::uint64_t released_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace devicetrust::ca
