#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "ca-service/applicant.h"
#include "ca-service/context.h"
#include "ca-service/issuance.h"
#include "ca-service/iwa_keys.h"
#include "ca-service/known_keys.h"
#include "libs/base/call_limiter.h"

namespace devicetrust::ca {

struct EnrollerConfig {
  IssuanceConfig issuance;
  std::size_t account_calls_per_minute = 60;  // Of one computer, and of one user.
  KnownKeys known_keys = {};
};

// Turns a user token and a CSR into one certificate (CA-1): finds out who asks, and has it issued
// and recorded. Thread-safe; blocks for the org (2 s at most) and for the store.
class Enroller {
 public:
  // `iwa_keys` must outlive it.
  Enroller(EnrollerConfig config, IwaKeys& iwa_keys, const Context& context)
      : org_(config.issuance.org),
        iwa_keys_(iwa_keys),
        context_(context),
        limiter_(config.account_calls_per_minute),
        known_keys_(std::move(config.known_keys)),
        issuance_(std::move(config.issuance), context) {}

  // `client_address` is for the System Log. Errors: those of EnrollmentService.Enroll in
  // the contract. On an error nothing of the certificate is stored but, at most, its plan.
  absl::StatusOr<StoredCertificate> Enroll(std::string_view user_token, std::string_view csr_der,
                                           std::string_view client_address, Renewal renewal = {});

  // After a restart: see Issuance.
  absl::StatusOr<int> CompletePlanned() { return issuance_.CompletePlanned(); }

 private:
  absl::Status CheckRateLimit(const Applicant& applicant);
  absl::StatusOr<StoredCertificate> EnrollVerified(const Applicant& applicant,
                                                   std::string_view csr_der,
                                                   std::string_view client_address,
                                                   const Renewal& renewal);
  void LogRefusal(const Applicant& applicant, const absl::Status& refused,
                  std::string_view client_address);

  const std::string org_;
  IwaKeys& iwa_keys_;
  const Context context_;
  CallLimiter limiter_;  // By SID, of applicants that are genuine.
  const KnownKeys known_keys_;
  Issuance issuance_;
};

}  // namespace devicetrust::ca
