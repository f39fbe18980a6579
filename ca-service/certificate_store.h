#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
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
  std::string enrollment_id;
  std::string device_id;
  std::string user_id;
  std::string user_sid;
  std::string principal;  // Of the user, for the System Log.
  std::string key_thumbprint;
  std::int64_t issued_at = 0;  // Unix seconds, as the next.
  std::int64_t not_after = 0;
  Bytes der;
  std::optional<std::int64_t> revoked_at;
  v1::RevocationReason reason = v1::REVOCATION_REASON_UNSPECIFIED;
  std::int64_t revocation_sequence = 0;  // 0 while good.
};

// A user token that pays for a certificate.
struct SpentToken {
  std::string jti;
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
  std::int64_t number = 0;
  std::int64_t revocation_sequence = 0;  // Everything up to here is in it.
  std::int64_t this_update = 0;
  Bytes der;
};

// One entry of the feed and of the CRL.
struct StoredRevocation {
  std::int64_t sequence = 0;
  std::string serial;
  v1::RevocationReason reason = v1::REVOCATION_REASON_UNSPECIFIED;
  std::int64_t revoked_at = 0;
  std::int64_t not_after = 0;  // Of the certificate.
};

// The statements of the CA on one transaction of the caller, who decides what belongs
// together. Errors as db::Transaction::Run. Cheap: made where it is used.
class Tables {
 public:
  explicit Tables(db::Transaction& txn) : txn_(txn) {}

  // What the store has on an enrollment, in one statement.
  struct Known {
    std::int64_t barrier = 0;          // See RaiseBarrier().
    std::int64_t barrier_of_user = 0;  // 0: never raised.
    std::string device_id;             // Of the computer; empty when it has none yet.
    std::string token_spent_for;       // Thumbprint of the key; empty: the token is unspent.
  };
  absl::StatusOr<Known> Find(const std::string& jti, const std::string& computer_sid,
                             const std::string& user_id);

  absl::Status SpendToken(const SpentToken& token, const std::string& serial);
  absl::Status ForgetTokens(std::int64_t expired_before);

  // Of a computer that has none.
  absl::Status AddDevice(const std::string& computer_sid, const std::string& device_id);

  // The unrevoked certificate of a key for this user and device, not expired at `now`.
  absl::StatusOr<std::optional<StoredCertificate>> FindLive(const std::string& user_sid,
                                                            const std::string& device_id,
                                                            const std::string& key_thumbprint,
                                                            std::int64_t now);
  absl::StatusOr<std::optional<StoredCertificate>> FindBySerial(const std::string& serial);
  absl::StatusOr<std::vector<StoredCertificate>> List(const CertificateFilter& filter);
  absl::Status Insert(const StoredCertificate& certificate);

  // Certificates of a user that are neither revoked nor expired.
  absl::StatusOr<std::vector<StoredCertificate>> LiveOfUser(const std::string& user_id,
                                                            std::int64_t now);
  // Fills the three revocation fields of `certificate` with the next sequence number.
  absl::Status Revoke(StoredCertificate& certificate, v1::RevocationReason reason, WallTime now);
  // In sequence order, after `sequence`, of certificates that expire after `not_after`.
  absl::StatusOr<std::vector<StoredRevocation>> RevokedAfter(std::int64_t sequence,
                                                             std::int64_t not_after,
                                                             std::int64_t limit);
  absl::StatusOr<std::int64_t> LastRevocation();
  absl::StatusOr<std::int64_t> LastRevocationOfUser(const std::string& user_id);

  // An enrollment reads Known::barrier before it asks the org about the user, and the user's in
  // the certificate's transaction: a higher one means that the org's answer may be older than a
  // revocation.
  absl::Status RaiseBarrier(const std::string& user_id);

  absl::StatusOr<std::optional<StoredCrl>> LatestCrl();
  absl::Status ReplaceCrl(const StoredCrl& crl);

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::ca
