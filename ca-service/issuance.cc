#include "ca-service/issuance.h"

#include <utility>

#include "ca-service/events.h"
#include "ca-service/metrics.h"
#include "libs/base/log.h"
#include "libs/base/ordered_id.h"
#include "libs/base/random_id.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

using absl::StatusCode;
using rpc::MakeError;

constexpr int kDeviceRacesMax = 3;
constexpr std::size_t kIdOctets = 16;
constexpr std::uint64_t kForgetEvidenceEvery = 512;  // Certificates.

absl::Status Replayed(std::string message) {
  return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_TOKEN_REPLAYED,
                   std::move(message), {}, "Get a new user token and enroll again.");
}

// The answer that the store alone allows: a certificate, none yet, or a refusal.
absl::StatusOr<std::optional<StoredCertificate>> FindExistingCertificate(
    CertificateStore& store, const Applicant& applicant,
    const CertificateStore::EnrollmentState& state, WallTime now) {
  const bool spent = !state.evidence_spent_for.empty();
  if (spent && state.evidence_spent_for != applicant.key_thumbprint) {
    return Replayed("the user token was used for another key");
  }
  std::optional<StoredCertificate> live;
  if (!state.device_id.empty()) {
    DT_ASSIGN_OR_RETURN(live, store.FindLive(applicant.user.sid, state.device_id,
                                             applicant.key_thumbprint, UnixSeconds(now)));
  }
  if (spent && !live) {
    return Replayed("the user token was used, and its certificate is revoked or has expired");
  }
  return live;
}

}  // namespace

absl::StatusOr<StoredCertificate> Issuance::Certify(const Applicant& applicant,
                                                    const pki::PublicKey& key,
                                                    std::string_view client_address) {
  for (int i = 0; i < kDeviceRacesMax; ++i) {
    DT_ASSIGN_OR_RETURN(Recorded recorded, CertifyOnce(applicant, key, client_address));
    if (recorded.device_raced) continue;
    if (recorded.is_new) {
      kCertificatesIssued.With().Add();
      Log(LogLevel::kInfo, kIssueEvent,
          {{"serial", recorded.certificate.serial},
           {"device_id", recorded.certificate.device_id},
           {"user", recorded.certificate.principal}});
    }
    return std::move(recorded.certificate);
  }
  return MakeError(StatusCode::kUnavailable, reason::v1::REASON_CONFLICTING_STATE,
                   "this computer enrolls many times at once", applicant.computer.name,
                   "Try again.", std::chrono::seconds(1));
}

absl::StatusOr<Issuance::Recorded> Issuance::CertifyOnce(const Applicant& applicant,
                                                         const pki::PublicKey& key,
                                                         std::string_view client_address) {
  const WallTime now = context_.clock.Now();
  DT_ASSIGN_OR_RETURN(ExistingState existing, FindExisting(applicant, now));
  if (existing.certificate) return Recorded{*std::move(existing.certificate)};

  StoredCertificate fresh;
  DT_ASSIGN_OR_RETURN(fresh.enrollment_id, NewOrderedId(kIdOctets, now, context_.random));
  fresh.device_id = existing.enrollment.device_id;
  if (fresh.device_id.empty()) {
    // Not an ordered one: it must not tell when the computer first enrolled.
    DT_ASSIGN_OR_RETURN(fresh.device_id, NewRandomHex(kIdOctets, context_.random));
  }
  DT_ASSIGN_OR_RETURN(const auto user, Authorize(applicant, fresh.device_id, fresh.enrollment_id));

  const auto issuers = context_.issuers.Current();
  const Issuer& issuer = issuers->active();
  DT_ASSIGN_OR_RETURN(
      const pki::Certificate certificate,
      issuer.Issue({config_.org, fresh.device_id, fresh.enrollment_id, config_.public_url}, key,
                   config_.profile, now, context_.random));
  fresh.serial = certificate.serial_hex();
  fresh.issuer_id = issuer.id();
  fresh.user_id = user.user_id();
  fresh.user_sid = applicant.user.sid;
  fresh.principal = user.principal().empty() ? applicant.user.name : user.principal();
  fresh.key_thumbprint = applicant.key_thumbprint;
  fresh.issued_at = UnixSeconds(now);
  fresh.not_after = UnixSeconds(certificate.not_after());
  fresh.der = certificate.der();
  return Record(applicant, existing.enrollment.revocation_epoch, fresh, client_address, now);
}

absl::StatusOr<Issuance::ExistingState> Issuance::FindExisting(const Applicant& applicant,
                                                               WallTime now) {
  return context_.database.Read([&](db::Transaction& txn) -> absl::StatusOr<ExistingState> {
    CertificateStore store(txn);
    ExistingState existing;
    // The org has yet to say who the user is.
    DT_ASSIGN_OR_RETURN(existing.enrollment, store.FindEnrollmentState(applicant.evidence.id,
                                                                       applicant.computer.sid, {}));
    DT_ASSIGN_OR_RETURN(existing.certificate,
                        FindExistingCertificate(store, applicant, existing.enrollment, now));
    return existing;
  });
}

absl::StatusOr<org::v1::AuthorizedEnrollment> Issuance::Authorize(
    const Applicant& applicant, const std::string& device_id, const std::string& enrollment_id) {
  org::v1::EnrollmentRequest request;
  request.set_iwa_name(applicant.evidence.iwa_name);
  request.set_kid(applicant.evidence.key_id);
  request.set_user_sid(applicant.user.sid);
  request.set_computer_sid(applicant.computer.sid);
  request.set_realm(applicant.realm);
  request.set_device_id(device_id);
  request.set_enrollment_id(enrollment_id);
  DT_ASSIGN_OR_RETURN(auto answer, context_.org.AuthorizeEnrollment(std::move(request)));
  if (answer.user_id().empty()) return absl::InternalError("the org named no user");
  return answer;
}

// Looks again at all that may have changed since FindExisting(), and only then spends the
// evidence. The closure may run more than once and has no effect but its result.
absl::StatusOr<Issuance::Recorded> Issuance::Record(const Applicant& applicant,
                                                    std::int64_t revocation_epoch,
                                                    const StoredCertificate& fresh,
                                                    std::string_view client_address, WallTime now) {
  const Bytes events = EnrolledEvents(fresh, client_address, now);
  const SpentEvidence spent{applicant.evidence.id, applicant.key_thumbprint,
                            UnixSeconds(applicant.evidence.expires_at)};
  const bool forget = ++issued_ % kForgetEvidenceEvery == 0;
  return context_.database.Write([&](db::Transaction& txn) -> absl::StatusOr<Recorded> {
    CertificateStore store(txn);
    DT_ASSIGN_OR_RETURN(
        const CertificateStore::EnrollmentState state,
        store.FindEnrollmentState(applicant.evidence.id, applicant.computer.sid, fresh.user_id));
    DT_ASSIGN_OR_RETURN(auto existing, FindExistingCertificate(store, applicant, state, now));
    if (existing) return Recorded{*std::move(existing)};
    if (state.user_revocation_epoch > revocation_epoch) {
      return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_USER_REVOKED_MEANWHILE,
                       "the user's certificates were revoked during this enrollment",
                       fresh.principal, "If the user is still active, enroll again.");
    }
    if (absl::Status full = context_.outbox.RefuseWhenFull(txn); absl::IsUnavailable(full)) {
      return MakeError(StatusCode::kUnavailable, reason::v1::REASON_LOG_BACKLOG_FULL,
                       std::string(full.message()), {},
                       "Start dt-policy: events cannot be delivered.", std::chrono::seconds(10));
    } else {
      DT_RETURN_IF_ERROR(full);
    }
    if (state.device_id.empty()) {
      DT_RETURN_IF_ERROR(store.AddDevice(applicant.computer.sid, fresh.device_id));
    } else if (state.device_id != fresh.device_id) {
      return Recorded{{}, false, true};
    }
    DT_RETURN_IF_ERROR(store.Insert(fresh));
    DT_RETURN_IF_ERROR(store.SpendEvidence(spent, fresh.serial));
    DT_RETURN_IF_ERROR(context_.outbox.Append(txn, "enroll-" + fresh.serial, events));
    if (forget) DT_RETURN_IF_ERROR(store.ForgetEvidence(UnixSeconds(now)));
    return Recorded{fresh, true};
  });
}

}  // namespace devicetrust::ca
