#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/base/change_signal.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// Revokes, and tells who waits for it. Thread-safe.
class Revocations {
 public:
  // All three must outlive it.
  Revocations(db::Database& database, db::Outbox& outbox, const Clock& clock);

  struct OfUser {
    int revoked = 0;
    std::int64_t sequence = 0;  // Of the user's last revocation, 0 without any.
  };
  // Every certificate of the user, in one transaction, with a barrier against enrollments in
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

  // Fires at every commit that revoked something, before the call that did it returns.
  ChangeSignal& committed() { return shared_->committed; }

 private:
  struct Shared {                      // With the commit hook, which may outlive this object.
    std::atomic<bool> written{false};  // A revocation is in the transaction now open.
    ChangeSignal committed;
  };

  absl::Status Revoke(db::Transaction& txn, StoredCertificate& certificate,
                      v1::RevocationReason reason, const std::string& requested_by, WallTime now);

  db::Database& database_;
  db::Outbox& outbox_;
  const Clock& clock_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace devicetrust::ca
