#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// Revokes, and tells who waits for it. Thread-safe.
class Revocations {
 public:
  // All three must outlive it.
  Revocations(db::Database& database, db::Outbox& outbox, const Clock& clock);
  ~Revocations() { Stop(); }

  struct OfUser {
    int revoked = 0;
    std::int64_t sequence = 0;  // Of the user's last revocation, 0 without any.
  };
  // Every certificate of the user, in one transaction, with a barrier against enrolments in
  // flight. Idempotent. Events go to the outbox even when its backlog is full.
  absl::StatusOr<OfUser> RevokeForUser(const std::string& user_id, v1::RevocationReason reason,
                                       const std::string& requested_by);

  struct OfCertificate {
    StoredCertificate certificate;  // With time, reason and sequence.
    bool was_already_revoked = false;
  };
  // Keeps time and reason of an earlier revocation. kNotFound: no such serial.
  absl::StatusOr<OfCertificate> RevokeCertificate(const std::string& serial,
                                                  v1::RevocationReason reason,
                                                  const std::string& requested_by);

  // What was committed after `sequence`, oldest first, at most `limit`. kOutOfRange: the
  // store has never got that far, so the reader knows another store.
  absl::StatusOr<std::vector<StoredRevocation>> After(std::int64_t sequence, std::int64_t limit);

  // Grows with every commit that revoked something.
  std::uint64_t generation() const;
  // Returns at the latest after `timeout`, at once when the generation is not `seen`.
  void Wait(std::uint64_t seen, std::chrono::milliseconds timeout);

  // Wait() returns at once from now on. Idempotent.
  void Stop();
  bool stopped() const;

 private:
  struct Signal {  // Shared with the commit hook, which may outlive this object.
    std::atomic<bool> written{false};  // A revocation is in the transaction now open.
    mutable std::mutex mutex;          // Guards the next two.
    std::uint64_t generation = 0;
    bool stopped = false;
    std::condition_variable wake;
  };

  absl::Status Revoke(db::Transaction& txn, StoredCertificate& certificate,
                      v1::RevocationReason reason, const std::string& requested_by, WallTime now);

  db::Database& database_;
  db::Outbox& outbox_;
  const Clock& clock_;
  const std::shared_ptr<Signal> signal_;
};

}  // namespace devicetrust::ca
