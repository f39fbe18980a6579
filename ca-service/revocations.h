#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ca-service/certificate_store.h"
#include "libs/base/change_signal.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// Revokes certificates in the store, with their events, and wakes those who publish or stream
// what was revoked. Sequence numbers grow with each revocation, in the order of commits, and are
// never below the Unix time in microseconds at which they were given. Thread-safe. Errors: those
// of rpc::StoreError, besides the ones named.
class Revocations {
 public:
  // All three must outlive it.
  Revocations(db::Database& database, db::Outbox& outbox, const Clock& clock);

  struct UserRevocation {
    int revoked = 0;            // Certificates that this call revoked.
    std::int64_t sequence = 0;  // Of the user's last revocation, 0 without any.
  };
  // Revokes every certificate of the user and raises the user's revocation epoch, in one
  // transaction: no enrollment that is in flight is recorded after it. Idempotent. Events go to
  // the outbox even when its backlog is full. `requested_by`: for the System Log, "admin:ada".
  absl::StatusOr<UserRevocation> RevokeForUser(const std::string& user_id,
                                               v1::RevocationReason reason,
                                               const std::string& requested_by);

  struct CertificateRevocation {
    StoredCertificate certificate;  // With time, reason and sequence of its revocation.
    bool was_already_revoked = false;
  };
  // Revokes one certificate; one that was revoked before keeps that time and reason. `serial`:
  // lower-case hex without leading zero octets. kNotFound: no certificate has it.
  absl::StatusOr<CertificateRevocation> RevokeCertificate(const std::string& serial,
                                                          v1::RevocationReason reason,
                                                          const std::string& requested_by);

  // The revocations that were committed after `sequence`, oldest first, at most `limit`.
  // kOutOfRange: the store has never got that far, so the reader knows another store.
  absl::StatusOr<std::vector<StoredRevocation>> After(std::int64_t sequence, std::int64_t limit);

  // Fires at every commit that revoked something, before the call that did it returns. Stopped
  // at the end of the server: whoever waits for it then ends.
  ChangeSignal& committed() { return committed_; }

 private:
  absl::Status Revoke(db::Transaction& txn, StoredCertificate& certificate,
                      v1::RevocationReason reason, const std::string& requested_by, WallTime now);

  db::Database& database_;
  db::Outbox& outbox_;
  const Clock& clock_;
  ChangeSignal committed_;
  const db::Watch watch_;  // Last: it fires the one above.
};

}  // namespace devicetrust::ca
