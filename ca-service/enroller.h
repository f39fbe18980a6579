#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ca-service/certificate_store.h"
#include "ca-service/issuing_ca.h"
#include "ca-service/iwa_keys.h"
#include "ca-service/org.h"
#include "libs/base/call_limiter.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/db/outbox.h"
#include "libs/pki/csr.h"
#include "libs/token/claims.h"

namespace devicetrust::ca {

struct EnrollerConfig {
  std::string org;
  Profile profile;
  std::string crl_url;                        // Printed in certificates.
  std::string issuer_url;                     // The same: where the issuing certificate is served.
  std::size_t account_calls_per_minute = 60;  // Of one computer, and of one user.
};

// Turns a user token and a CSR into one certificate (CA-1). Thread-safe; blocks for the org
// (2 s at most) and for the store.
class Enroller {
 public:
  // All references must outlive it.
  Enroller(EnrollerConfig config, const IssuingCa& ca, IwaKeys& iwa_keys, Org& org,
           db::Database& database, db::Outbox& outbox, const Clock& clock, Random& random)
      : config_(std::move(config)),
        ca_(ca),
        iwa_keys_(iwa_keys),
        org_(org),
        database_(database),
        outbox_(outbox),
        clock_(clock),
        random_(random),
        limiter_(config_.account_calls_per_minute) {}

  // `client_address` is for the System Log. Errors: those of EnrollmentService.Enroll in
  // the contract. On an error nothing of the certificate is stored.
  absl::StatusOr<StoredCertificate> Enroll(std::string_view user_token, std::string_view csr_der,
                                           std::string_view client_address);

 private:
  // What the store knows before the org is asked.
  struct Known {
    Tables::Known facts;
    std::optional<StoredCertificate> certificate;  // To answer with, when set.
  };
  struct Recorded {
    StoredCertificate certificate;
    bool is_new = false;
    bool device_raced = false;  // The computer just got another device id: begin again.
  };

  absl::Status CheckShare(const token::UserToken& token);
  absl::StatusOr<StoredCertificate> EnrollGenuine(const token::UserToken& token,
                                                  std::string_view csr_der,
                                                  std::string_view client_address);
  absl::StatusOr<Recorded> EnrollOnce(const token::UserToken& token, const pki::VerifiedCsr& csr,
                                      std::string_view client_address);
  absl::StatusOr<Known> LookUp(const token::UserToken& token, WallTime now);
  absl::StatusOr<org::v1::AuthorizedEnrollment> Authorize(const token::UserToken& token,
                                                          const std::string& device_id,
                                                          const std::string& enrollment_id);
  absl::StatusOr<Recorded> Record(const token::UserToken& token, const Known& known,
                                  StoredCertificate fresh, std::string_view client_address,
                                  WallTime now);
  void TellRefusal(const token::UserToken& token, const absl::Status& refused,
                   std::string_view client_address);
  absl::StatusOr<std::string> NewDeviceId();

  const EnrollerConfig config_;
  const IssuingCa& ca_;
  IwaKeys& iwa_keys_;
  Org& org_;
  db::Database& database_;
  db::Outbox& outbox_;
  const Clock& clock_;
  Random& random_;
  CallLimiter limiter_;  // By SID, of tokens that are genuine.
  std::atomic<std::uint64_t> issued_{0};
};

}  // namespace devicetrust::ca
