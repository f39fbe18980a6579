#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ca-service/block_store.h"
#include "ca-service/certificate_store.h"
#include "libs/base/change_signal.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// NOT_FOUND, UNKNOWN_SUBJECT.
absl::Status UnknownDevice(const DeviceName& name);

// Revokes certificates in the store, with their events, and wakes those who publish or stream
// what was revoked. Sequence numbers grow with each revocation, in the order of commits, and are
// never below the Unix time in microseconds at which they were given.
//
// Idempotent: what is revoked for good keeps its first time and reason. CERTIFICATE_HOLD is for a
// while: ReleaseHold() ends it, any other reason makes it final and keeps its time. KEY_COMPROMISE
// also puts the keys on the list of blocked ones, those of certificates that were revoked before
// too. `requested_by` is for the System Log: "admin:ada"; events go to the outbox even when its
// backlog is full. Serials are lower-case hex without leading zero octets.
//
// Thread-safe. Errors: those of rpc::StoreError, besides the ones named.
class Revocations {
 public:
  // All three must outlive it.
  Revocations(db::Database& database, db::Outbox& outbox, const Clock& clock);

  struct UserRevocation {
    int revoked = 0;            // Certificates that this call revoked.
    std::int64_t sequence = 0;  // Of the user's last revocation, 0 without any.
  };
  // Revokes every certificate of the user and raises the user's revocation epoch, in one
  // transaction: no enrollment that is in flight is recorded after it.
  absl::StatusOr<UserRevocation> RevokeForUser(const std::string& user_id,
                                               v1::RevocationReason reason,
                                               const std::string& requested_by);

  struct CertificateRevocation {
    StoredCertificate certificate;     // With time, reason and sequence of its revocation.
    bool was_already_revoked = false;  // Nothing was changed.
    bool was_on_hold = false;
  };
  // Revokes one certificate. kNotFound: none has the serial.
  absl::StatusOr<CertificateRevocation> RevokeCertificate(const std::string& serial,
                                                          v1::RevocationReason reason,
                                                          const std::string& requested_by);

  struct DeviceRevocation {
    std::string device_id;
    int revoked = 0;            // Certificates that this call revoked, or put on hold.
    std::int64_t sequence = 0;  // Of the last revocation of the computer, 0 without any.
  };
  // Revokes every certificate of a computer. kNotFound: there is no such computer.
  absl::StatusOr<DeviceRevocation> RevokeForDevice(const DeviceName& device,
                                                   v1::RevocationReason reason,
                                                   const std::string& requested_by);

  struct HoldRelease {
    bool was_on_hold = false;  // Else it is good, and nothing was changed.
    std::int64_t sequence = 0;
  };
  // Makes a certificate good that was on hold. kNotFound: none has the serial.
  // kFailedPrecondition: it is revoked for good, or its computer is blocked.
  absl::StatusOr<HoldRelease> ReleaseHold(const std::string& serial,
                                          const std::string& requested_by);

  // RevokeForDevice() as a part of the caller's transaction.
  absl::StatusOr<DeviceRevocation> RevokeForDeviceIn(db::Transaction& txn,
                                                     const std::string& device_id,
                                                     v1::RevocationReason reason,
                                                     const std::string& requested_by, WallTime now);

  // The changes that were committed after `sequence`, oldest first, at most `limit`: revocations,
  // and ends of holds. Of each certificate the latest alone.
  // kOutOfRange: the store has never got that far, so the reader knows another store.
  absl::StatusOr<std::vector<StoredRevocation>> After(std::int64_t sequence, std::int64_t limit);

  // CertificateStore::RevokedThatEnded().
  absl::StatusOr<std::vector<CertificateStore::Ended>> Ended(const CertificateStore::Ended& after,
                                                             WallTime until, std::int64_t limit);

  // Fires at every commit that revoked or released something, before the call that did it returns.
  // Stopped at the end of the server: whoever waits for it then ends.
  ChangeSignal& committed() { return committed_; }

 private:
  // False when it was so already.
  absl::StatusOr<bool> Revoke(db::Transaction& txn, StoredCertificate& certificate,
                              v1::RevocationReason reason, const std::string& requested_by,
                              WallTime now);
  // How many it changed.
  absl::StatusOr<int> RevokeAll(db::Transaction& txn, std::vector<StoredCertificate> certificates,
                                v1::RevocationReason reason, const std::string& requested_by,
                                WallTime now);

  db::Database& database_;
  db::Outbox& outbox_;
  const Clock& clock_;
  ChangeSignal committed_;
  const db::Watch watch_;  // Last: it fires the one above.
};

}  // namespace devicetrust::ca
