#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ca-service/applicant.h"
#include "ca-service/certificate_store.h"
#include "ca-service/context.h"
#include "ca-service/crl_shards.h"
#include "ca-service/plan_store.h"
#include "libs/pki/key.h"

namespace devicetrust::ca {

// What the agent says of the certificate that a new one is to follow.
struct Renewal {
  std::string serial = {};  // Lower-case hex; empty: of none.
  bool forced = false;      // A person asked for it: also when the former one is revoked.
};

struct IssuanceConfig {
  std::string org;
  Profile profile;
  std::string public_url;  // Of the HTTP listener, as certificates print it; no slash at its end.
  std::int64_t device_daily_max = 100;  // Certificates of one computer in 24 hours,
  std::int64_t user_daily_max = 200;    // and of one user.
  CrlShards::Options crl_shards = {};
};

// Issues a certificate to an applicant and records it, in two transactions. The first plans it:
// what will be signed, the evidence spent for it, everything that may forbid it looked at. Then
// the active issuer signs, and the second records the certificate with its events. When the power
// goes in between, the plan is there: the applicant's next call, or CompletePlanned() after a
// restart, goes on from it. So no signature is made of which the store knows nothing.
//
// Thread-safe; blocks for the org (2 s at most) and for the store.
class Issuance {
 public:
  Issuance(IssuanceConfig config, const Context& context)
      : config_(std::move(config)),
        context_(context),
        crl_shards_(context.database, context.clock, config_.crl_shards) {}

  // The certificate of `key` for `applicant`, whose thumbprint it has: the one that there is
  // already when the same was asked before. `client_address` is for the System Log. On an error
  // nothing of the certificate is stored but, at most, its plan.
  //
  // Errors: PERMISSION_DENIED TOKEN_REPLAYED, USER_REVOKED_MEANWHILE, DEVICE_BLOCKED,
  // KEY_COMPROMISED, CERTIFICATE_ON_HOLD, CERTIFICATE_REVOKED; RESOURCE_EXHAUSTED
  // TOO_MANY_REQUESTS; UNAVAILABLE CONFLICTING_STATE, LOG_BACKLOG_FULL; those of
  // AuthorizeEnrollments, of the signer and of the store.
  absl::StatusOr<StoredCertificate> Certify(const Applicant& applicant, const pki::PublicKey& key,
                                            std::string_view client_address,
                                            const Renewal& renewal = {});

  // Signs and records what was planned before a restart; how many. A plan whose signer is away
  // stays for the next time.
  absl::StatusOr<int> CompletePlanned();

 private:
  // What the store says about an applicant: the certificate to answer with, or the plan to go on
  // from, or neither.
  struct Found {
    CertificateStore::EnrollmentState enrollment;
    std::optional<StoredCertificate> certificate;
    std::optional<PlannedCertificate> plan;
    bool is_new = false;  // The certificate was recorded by this call.
    std::string renews;   // Serial of the certificate of this person and device that is followed.
    // The computer just got another device id, or the serial is too much like one that there is:
    // begin again.
    bool raced = false;
  };

  absl::StatusOr<Found> CertifyOnce(const Applicant& applicant, const pki::PublicKey& key,
                                    std::string_view client_address, const Renewal& renewal);
  static absl::StatusOr<Found> Find(db::Transaction& txn, const Applicant& applicant,
                                    const Renewal& renewal, WallTime now);
  absl::StatusOr<org::v1::AuthorizedEnrollment> Authorize(const Applicant& applicant,
                                                          const std::string& device_id,
                                                          const std::string& enrollment_id);
  absl::StatusOr<Found> Plan(const Applicant& applicant, const PlannedCertificate& fresh,
                             const Renewal& renewal, WallTime now);
  absl::Status RefuseTooMany(CertificateStore& store, const Applicant& applicant,
                             const StoredCertificate& fresh, WallTime now) const;
  absl::StatusOr<Found> Complete(const PlannedCertificate& plan);
  absl::StatusOr<Found> Record(const PlannedCertificate& plan, Bytes der);

  const IssuanceConfig config_;
  const Context context_;
  CrlShards crl_shards_;
  std::atomic<std::uint64_t> planned_{0};
};

}  // namespace devicetrust::ca
