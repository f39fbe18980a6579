#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

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
  // Call Revocations::Stop() before.
  ~CrlPublisher();
  CrlPublisher(const CrlPublisher&) = delete;
  CrlPublisher& operator=(const CrlPublisher&) = delete;

  std::shared_ptr<const StoredCrl> Current() const;  // Never null.

 private:
  CrlPublisher(db::Database& database, const IssuingCa& ca, Revocations& revocations,
               const Clock& clock)
      : database_(database), ca_(ca), revocations_(revocations), clock_(clock) {}

  void Run();
  absl::Status Publish();
  absl::StatusOr<StoredCrl> Build(std::int64_t sequence, WallTime now);

  db::Database& database_;
  const IssuingCa& ca_;
  Revocations& revocations_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // Guards current_.
  std::shared_ptr<const StoredCrl> current_;
  std::thread thread_;
};

}  // namespace devicetrust::ca
