#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::ca {

// One row of the table of certificates.
struct StoredCertificate {
  std::string serial;
  std::string issuer_id;  // Of the one that signed it.
  std::string enrollment_id;
  std::string device_id;
  std::string user_id;
  std::string user_sid;
  std::string principal;  // Of the user, for the System Log.
  std::string key_thumbprint;
  std::int64_t issued_at = 0;  // Unix seconds, as the next.
  std::int64_t not_after = 0;
  Bytes der;
  std::int64_t crl_shard = 0;  // Of the list that it names: CrlShard.
  std::optional<std::int64_t> revoked_at;
  v1::RevocationReason reason = v1::REVOCATION_REASON_UNSPECIFIED;
  std::int64_t revocation_sequence = 0;  // 0 while good.

  bool on_hold() const { return revoked_at && reason == v1::REVOCATION_REASON_CERTIFICATE_HOLD; }
};

// Evidence (applicant.h) that pays for a certificate.
struct SpentEvidence {
  std::string id;
  std::string key_thumbprint;
  std::int64_t expires_at = 0;  // When the row may go.
};

struct CertificateFilter {
  std::string user_id;  // Each that is not empty must match, exactly.
  std::string device_id;
  std::string serial;
  // Resumes after this row; newest first.
  std::optional<std::pair<std::int64_t, std::string>> after;  // issued_at, serial
  std::int64_t limit = 100;
};

struct StoredCrl {
  std::string id;  // Of an issuer, a root, or a part of an issuer's (CrlShard).
  std::int64_t number = 0;
  std::int64_t revocation_sequence = 0;  // Of the last change that is in it.
  std::int64_t this_update = 0;
  Bytes der;  // Not stored when it is large.
  // Not stored, as the next; unknown after a restart until there is a new list.
  std::int64_t next_update = 0;
  std::chrono::seconds max_age{0};  // For caches.
};

// One entry of the feed and of the CRL: the latest change of a certificate.
struct StoredRevocation {
  std::int64_t sequence = 0;
  std::string serial;
  v1::RevocationReason reason = v1::REVOCATION_REASON_UNSPECIFIED;
  std::int64_t revoked_at = 0;
  std::int64_t not_after = 0;  // Of the certificate.
  bool released = false;       // From hold: it is good again, since this sequence number.
  std::string issuer_id;
  std::int64_t crl_shard = 0;  // Unknown of one that was released.
};

// The sequence of revocations, and the topic that each of them is announced under.
inline constexpr std::string_view kRevocationSequence = "revocations";

// The statements of the CA on one transaction of the caller, who decides what belongs
// together. Errors as db::Transaction::Run. Cheap: made where it is used.
class CertificateStore {
 public:
  explicit CertificateStore(db::Transaction& txn) : txn_(txn) {}

  // What is stored about one enrollment, read in one statement.
  struct EnrollmentState {
    std::int64_t revocation_epoch = 0;       // See RaiseRevocationEpoch().
    std::int64_t user_revocation_epoch = 0;  // 0: never raised.
    std::string device_id;                   // Of the computer; empty when it has none yet.
    std::string evidence_spent_for;  // Thumbprint of the key; empty: the evidence is unspent.
    std::string evidence_serial;     // Of the certificate that it paid for, planned or recorded.
    bool device_blocked = false;     // See BlockStore, as the next.
    bool key_blocked = false;
  };
  struct EnrollmentNames {
    std::string evidence_id = {};
    std::string computer_sid = {};
    std::string user_id = {};
    std::string key_thumbprint = {};
  };
  absl::StatusOr<EnrollmentState> FindEnrollmentState(const EnrollmentNames& names);

  absl::Status SpendEvidence(const SpentEvidence& evidence, const std::string& serial);
  absl::Status ForgetEvidence(std::int64_t expired_before);

  // Of a computer that has none.
  absl::Status AddDevice(const std::string& computer_sid, const std::string& device_id);

  // The certificate of a key for this user and device, not expired at `now` and not revoked for
  // good: it may be on hold.
  absl::StatusOr<std::optional<StoredCertificate>> FindOfKey(const std::string& user_sid,
                                                             const std::string& device_id,
                                                             const std::string& key_thumbprint,
                                                             std::int64_t now);
  // The serial of the newest other certificate of this person on this device that is neither
  // revoked nor expired at `now`; empty: there is none.
  absl::StatusOr<std::string> FindRenewed(const StoredCertificate& fresh, std::int64_t now);
  absl::StatusOr<std::optional<StoredCertificate>> FindBySerial(const std::string& serial);
  absl::StatusOr<std::vector<StoredCertificate>> List(const CertificateFilter& filter);

  // For whom the computer has enrolled, ever.
  absl::StatusOr<std::vector<std::string>> UsersOfDevice(const std::string& device_id);

  // How many certificates were issued after a moment, counted up to a limit, and when the first
  // of those was.
  struct Recent {
    std::int64_t count = 0;
    std::int64_t first_at = 0;  // Unix seconds; 0 without any.
  };
  absl::StatusOr<Recent> IssuedToDevice(const std::string& device_id, std::int64_t after,
                                        std::int64_t limit);
  absl::StatusOr<Recent> IssuedToUser(const std::string& user_id, std::int64_t after,
                                      std::int64_t limit);

  absl::Status Insert(const StoredCertificate& certificate);
  // Whether some certificate, recorded or planned, begins with the same pki::kSerialKeyOctets
  // octets: gateways tell certificates apart by these.
  absl::StatusOr<bool> IsSerialKeyTaken(const std::string& serial);

  // Certificates of a user, or of a computer, that are neither expired nor revoked for good.
  absl::StatusOr<std::vector<StoredCertificate>> RevocableOfUser(const std::string& user_id,
                                                                 std::int64_t now);
  absl::StatusOr<std::vector<StoredCertificate>> RevocableOfDevice(const std::string& device_id,
                                                                   std::int64_t now);
  // Fills the three revocation fields of `certificate` with the next sequence number, and
  // announces kRevocationSequence. One that is on hold keeps its time.
  absl::Status Revoke(StoredCertificate& certificate, v1::RevocationReason reason, WallTime now);
  // Makes one that is on hold good again: the same the other way round. Returns the sequence.
  absl::StatusOr<std::int64_t> Release(StoredCertificate& certificate, WallTime now);
  // Changes in sequence order, after `sequence`, at most `limit`.
  absl::StatusOr<std::vector<StoredRevocation>> RevokedAfter(std::int64_t sequence,
                                                             std::int64_t limit);
  // Revoked certificates that ended after the one of `after`, and before `until`: at most `limit`,
  // in the order of their ends.
  struct Ended {
    std::int64_t not_after = 0;
    std::string serial;
  };
  absl::StatusOr<std::vector<Ended>> RevokedThatEnded(const Ended& after, std::int64_t until,
                                                      std::int64_t limit);
  // The sequence number of the last revocation; 0 when there is none.
  absl::StatusOr<std::int64_t> LastRevocation();
  absl::StatusOr<std::int64_t> LastRevocationOfUser(const std::string& user_id);
  absl::StatusOr<std::int64_t> LastRevocationOfDevice(const std::string& device_id);

  // Fences enrollments in flight: one reads EnrollmentState::revocation_epoch before it asks the
  // org about the user, and the user's own in the certificate's transaction. A user's that is
  // higher means that the org's answer may be older than a revocation.
  absl::Status RaiseRevocationEpoch(const std::string& user_id);
  absl::StatusOr<std::int64_t> RevocationEpochOf(const std::string& user_id);  // 0: never raised.

  absl::StatusOr<std::optional<StoredCrl>> LatestCrl(const std::string& id);
  absl::Status ReplaceCrl(const StoredCrl& crl);

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::ca
