#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ca-service/applicant.h"
#include "ca-service/certificate_store.h"
#include "ca-service/context.h"
#include "libs/pki/key.h"

namespace devicetrust::ca {

struct IssuanceConfig {
  std::string org;
  Profile profile;
  std::string public_url;  // Of the HTTP listener, as certificates print it; no slash at its end.
};

// Issues a certificate to an applicant and records it: asks the org, signs with the active
// issuer, and commits certificate, spent evidence and events as one. Thread-safe; blocks for the
// org (2 s at most) and for the store.
class Issuance {
 public:
  Issuance(IssuanceConfig config, const Context& context)
      : config_(std::move(config)), context_(context) {}

  // The certificate of `key` for `applicant`, whose thumbprint it has: the one that there is
  // already when the same was asked before. `client_address` is for the System Log. On an error
  // nothing of the certificate is stored.
  //
  // Errors: PERMISSION_DENIED TOKEN_REPLAYED, USER_REVOKED_MEANWHILE; UNAVAILABLE
  // CONFLICTING_STATE, LOG_BACKLOG_FULL; those of AuthorizeEnrollments and of the store.
  absl::StatusOr<StoredCertificate> Certify(const Applicant& applicant, const pki::PublicKey& key,
                                            std::string_view client_address);

 private:
  // What the store knows before the org is asked.
  struct ExistingState {
    CertificateStore::EnrollmentState enrollment;
    std::optional<StoredCertificate> certificate;  // To answer with, when set.
  };
  struct Recorded {
    StoredCertificate certificate;
    bool is_new = false;
    bool device_raced = false;  // The computer just got another device id: begin again.
  };

  absl::StatusOr<Recorded> CertifyOnce(const Applicant& applicant, const pki::PublicKey& key,
                                       std::string_view client_address);
  absl::StatusOr<ExistingState> FindExisting(const Applicant& applicant, WallTime now);
  absl::StatusOr<org::v1::AuthorizedEnrollment> Authorize(const Applicant& applicant,
                                                          const std::string& device_id,
                                                          const std::string& enrollment_id);
  absl::StatusOr<Recorded> Record(const Applicant& applicant, std::int64_t revocation_epoch,
                                  const StoredCertificate& fresh, std::string_view client_address,
                                  WallTime now);

  const IssuanceConfig config_;
  const Context context_;
  std::atomic<std::uint64_t> issued_{0};
};

}  // namespace devicetrust::ca
