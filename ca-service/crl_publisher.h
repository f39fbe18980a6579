#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ca-service/issuing_ca.h"
#include "ca-service/revocations.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

inline constexpr std::chrono::hours kCrlLifetime{24};  // Rebuilt at half of it, or earlier.

// Keeps the current CRL: rebuilt as soon as a certificate is revoked. A number names one
// list for ever; it is stored before the list is served. Owns one thread. Thread-safe.
class CrlPublisher {
 public:
  // Has a list once it returns. All references must outlive it.
  static absl::StatusOr<std::unique_ptr<CrlPublisher>> Start(db::Database& database,
                                                             const IssuingCa& ca,
                                                             Revocations& revocations,
                                                             const Clock& clock);
  // Stop Revocations::committed() before.
  ~CrlPublisher();
  CrlPublisher(const CrlPublisher&) = delete;
  CrlPublisher& operator=(const CrlPublisher&) = delete;

  using Receiver = std::function<void(std::shared_ptr<const StoredCrl>)>;
  // Hands over a list with everything that was revoked before the call, as soon as there is
  // one: at once, or later on the publisher's thread, so the receiver must not block. The last
  // list when no newer one can be made: it stays true, and a log line tells why.
  void WhenUpToDate(Receiver receiver);

 private:
  CrlPublisher(db::Database& database, const IssuingCa& ca, Revocations& revocations,
               const Clock& clock)
      : database_(database), ca_(ca), revocations_(revocations), clock_(clock) {}

  struct Waiter {
    std::uint64_t generation;  // Of the revocations, when it came.
    Receiver receiver;
  };

  std::shared_ptr<const StoredCrl> Current() const;  // Null at the very start.
  void Run();
  // Serves those who wait for what was revoked up to `generation`.
  void Release(std::uint64_t generation);
  absl::Status Publish();
  absl::StatusOr<StoredCrl> Build(std::int64_t sequence, WallTime now);

  db::Database& database_;
  const IssuingCa& ca_;
  Revocations& revocations_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // Guards the next three.
  std::shared_ptr<const StoredCrl> current_;
  std::uint64_t released_ = 0;
  std::vector<Waiter> waiters_;
  std::thread thread_;
};

}  // namespace devicetrust::ca
