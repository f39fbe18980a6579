#include "ca-service/issuance.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "ca-service/block_store.h"
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

constexpr int kRacesMax = 3;
constexpr std::size_t kIdOctets = 16;
constexpr std::uint64_t kForgetEvidenceEvery = 512;  // Certificates.
constexpr std::int64_t kPlansAtOnce = 64;
constexpr std::chrono::hours kDay{24};

absl::Status CheckBlocks(const Applicant& applicant,
                         const CertificateStore::EnrollmentState& state) {
  if (state.device_blocked) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_DEVICE_BLOCKED,
                     "an administrator keeps this computer from enrolling", applicant.computer.name,
                     "Ask an administrator; `dtctl device unblock` lets it enroll again.");
  }
  if (state.key_blocked) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_KEY_COMPROMISED,
                     "the key was reported as compromised", applicant.computer.name,
                     "Delete the key, make a new one and enroll with that.");
  }
  return absl::OkStatus();
}

// Why a certificate must not be good that was planned before; nothing when it may.
absl::StatusOr<std::optional<v1::RevocationReason>> TakenBackSince(db::Transaction& txn,
                                                                   const PlannedCertificate& plan) {
  const StoredCertificate& certificate = plan.certificate;
  BlockStore blocks(txn);
  DT_ASSIGN_OR_RETURN(const bool key_blocked, blocks.IsKeyBlocked(certificate.key_thumbprint));
  if (key_blocked) return v1::REVOCATION_REASON_KEY_COMPROMISE;
  DT_ASSIGN_OR_RETURN(const bool device_blocked, blocks.IsDeviceBlocked(certificate.device_id));
  if (device_blocked) return v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN;
  DT_ASSIGN_OR_RETURN(const std::int64_t epoch,
                      CertificateStore(txn).RevocationEpochOf(certificate.user_id));
  if (epoch > plan.revocation_epoch) return v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN;
  return std::nullopt;
}

absl::Status Replayed(std::string message) {
  return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_TOKEN_REPLAYED,
                   std::move(message), {}, "Get a new user token and enroll again.");
}

// What was taken back does not renew itself.
absl::Status CheckFormer(const StoredCertificate& former) {
  if (!former.revoked_at) return absl::OkStatus();
  if (former.on_hold()) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_CERTIFICATE_ON_HOLD,
                     "the certificate to renew is on hold", former.serial,
                     "Ask an administrator, who can release it.");
  }
  return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_CERTIFICATE_REVOKED,
                   "the certificate to renew was revoked", former.serial,
                   "Ask an administrator why; if it was a mistake, run `dt-agent run --user "
                   "--forceRenewal` as that user.");
}

absl::Status RevokedMeanwhile(const std::string& principal) {
  return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_USER_REVOKED_MEANWHILE,
                   "the user's certificates were revoked during this enrollment", principal,
                   "If the user is still active, enroll again.");
}

absl::Status TooMany(const std::string& whose, std::int64_t most,
                     const CertificateStore::Recent& recent, WallTime now) {
  const std::chrono::seconds wait(recent.first_at - UnixSeconds(now - kDay));
  return MakeError(
      StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
      fmt::format("{} got {} certificates in 24 hours, which is the most", whose, most), whose,
      "Wait; look for an agent that loses its key or its certificate again and again.",
      std::max(wait, std::chrono::seconds(1)));
}

}  // namespace

absl::StatusOr<StoredCertificate> Issuance::Certify(const Applicant& applicant,
                                                    const pki::PublicKey& key,
                                                    std::string_view client_address,
                                                    const Renewal& renewal) {
  for (int i = 0; i < kRacesMax; ++i) {
    DT_ASSIGN_OR_RETURN(Found done, CertifyOnce(applicant, key, client_address, renewal));
    if (done.raced) continue;
    return *std::move(done.certificate);
  }
  return MakeError(StatusCode::kUnavailable, reason::v1::REASON_CONFLICTING_STATE,
                   "this computer enrolls many times at once", applicant.computer.name,
                   "Try again.", std::chrono::seconds(1));
}

absl::StatusOr<Issuance::Found> Issuance::CertifyOnce(const Applicant& applicant,
                                                      const pki::PublicKey& key,
                                                      std::string_view client_address,
                                                      const Renewal& renewal) {
  const WallTime now = context_.clock.Now();
  DT_ASSIGN_OR_RETURN(Found found, context_.database.Read([&](db::Transaction& txn) {
    return Find(txn, applicant, renewal, now);
  }));
  if (found.certificate) return found;
  if (found.plan) return Complete(*found.plan);

  PlannedCertificate plan;
  StoredCertificate& fresh = plan.certificate;
  DT_ASSIGN_OR_RETURN(fresh.enrollment_id, NewOrderedId(kIdOctets, now, context_.random));
  fresh.device_id = found.enrollment.device_id;
  if (fresh.device_id.empty()) {
    // Not an ordered one: it must not tell when the computer first enrolled.
    DT_ASSIGN_OR_RETURN(fresh.device_id, NewRandomHex(kIdOctets, context_.random));
  }
  DT_ASSIGN_OR_RETURN(const auto user, Authorize(applicant, fresh.device_id, fresh.enrollment_id));

  const auto issuers = context_.issuers.Current();
  const Issuer& issuer = issuers->active();
  DT_ASSIGN_OR_RETURN(const CrlShard shard, crl_shards_.Next(issuer.id(), config_.public_url));
  DT_ASSIGN_OR_RETURN(Issuer::Draft draft,
                      issuer.Prepare({config_.org, fresh.device_id, fresh.enrollment_id,
                                      config_.public_url, shard.url},
                                     key, config_.profile, now, context_.random));
  fresh.crl_shard = shard.number;
  fresh.serial = std::move(draft.serial);
  fresh.issuer_id = issuer.id();
  fresh.user_id = user.user_id();
  fresh.user_sid = applicant.user.sid;
  fresh.principal = user.principal().empty() ? applicant.user.name : user.principal();
  fresh.key_thumbprint = applicant.key_thumbprint;
  fresh.issued_at = UnixSeconds(now);
  fresh.not_after = UnixSeconds(draft.not_after);
  plan.content = std::move(draft.content);
  plan.revocation_epoch = found.enrollment.revocation_epoch;
  plan.client_address = client_address;
  plan.renews = found.renews;
  plan.forced = renewal.forced;
  DT_ASSIGN_OR_RETURN(found, Plan(applicant, plan, renewal, now));
  if (found.certificate || found.raced) return found;
  return Complete(found.plan ? *found.plan : plan);
}

// What the store alone answers: a certificate, the plan of one, neither yet, or a refusal.
absl::StatusOr<Issuance::Found> Issuance::Find(db::Transaction& txn, const Applicant& applicant,
                                               const Renewal& renewal, WallTime now) {
  CertificateStore store(txn);
  Found found;
  // The org has yet to say who the user is.
  DT_ASSIGN_OR_RETURN(
      found.enrollment,
      store.FindEnrollmentState(
          {applicant.evidence.id, applicant.computer.sid, {}, applicant.key_thumbprint}));
  const CertificateStore::EnrollmentState& state = found.enrollment;
  DT_RETURN_IF_ERROR(CheckBlocks(applicant, state));
  const bool spent = !state.evidence_spent_for.empty();
  if (spent && state.evidence_spent_for != applicant.key_thumbprint) {
    return Replayed("the user token was used for another key");
  }
  if (!state.device_id.empty()) {
    DT_ASSIGN_OR_RETURN(found.certificate,
                        store.FindOfKey(applicant.user.sid, state.device_id,
                                        applicant.key_thumbprint, UnixSeconds(now)));
  }
  if (found.certificate && found.certificate->on_hold()) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_CERTIFICATE_ON_HOLD,
                     "the key has a certificate already, which is on hold",
                     found.certificate->serial, "Ask an administrator, who can release it.");
  }
  if (spent && !found.certificate) {
    DT_ASSIGN_OR_RETURN(found.plan, PlanStore(txn).Find(state.evidence_serial));
    if (!found.plan) {
      return Replayed("the user token was used, and its certificate is revoked or has expired");
    }
  }
  if (!found.certificate && !found.plan && !renewal.serial.empty()) {
    DT_ASSIGN_OR_RETURN(const auto former, store.FindBySerial(renewal.serial));
    if (former && former->device_id == state.device_id && former->user_sid == applicant.user.sid) {
      if (!renewal.forced) DT_RETURN_IF_ERROR(CheckFormer(*former));
      found.renews = former->serial;
    }
  }
  return found;
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

// Looks again at all that may have changed since the first look, and only then spends the
// evidence. The closure may run more than once and has no effect but its result.
absl::StatusOr<Issuance::Found> Issuance::Plan(const Applicant& applicant,
                                               const PlannedCertificate& fresh,
                                               const Renewal& renewal, WallTime now) {
  const SpentEvidence spent{applicant.evidence.id, applicant.key_thumbprint,
                            UnixSeconds(applicant.evidence.expires_at)};
  const StoredCertificate& certificate = fresh.certificate;
  const bool forget = ++planned_ % kForgetEvidenceEvery == 0;
  return context_.database.Write([&](db::Transaction& txn) -> absl::StatusOr<Found> {
    CertificateStore store(txn);
    DT_ASSIGN_OR_RETURN(Found found, Find(txn, applicant, renewal, now));
    if (found.certificate || found.plan) return found;
    DT_ASSIGN_OR_RETURN(const std::int64_t epoch, store.RevocationEpochOf(certificate.user_id));
    if (epoch > fresh.revocation_epoch) return RevokedMeanwhile(certificate.principal);
    DT_RETURN_IF_ERROR(RefuseTooMany(store, applicant, certificate, now));
    if (absl::Status full = context_.outbox.RefuseWhenFull(txn); absl::IsUnavailable(full)) {
      return MakeError(StatusCode::kUnavailable, reason::v1::REASON_LOG_BACKLOG_FULL,
                       std::string(full.message()), {},
                       "Start dt-policy: events cannot be delivered.", std::chrono::seconds(10));
    } else {
      DT_RETURN_IF_ERROR(full);
    }
    DT_ASSIGN_OR_RETURN(found.raced, store.IsSerialKeyTaken(certificate.serial));
    if (found.raced) return found;
    if (found.enrollment.device_id.empty()) {
      DT_RETURN_IF_ERROR(store.AddDevice(applicant.computer.sid, certificate.device_id));
    } else if (found.enrollment.device_id != certificate.device_id) {
      found.raced = true;
      return found;
    }
    DT_RETURN_IF_ERROR(PlanStore(txn).Insert(fresh));
    DT_RETURN_IF_ERROR(store.SpendEvidence(spent, certificate.serial));
    if (forget) DT_RETURN_IF_ERROR(store.ForgetEvidence(UnixSeconds(now)));
    return found;
  });
}

// A computer that enrolls in a loop would fill the store and the list of what is revoked.
absl::Status Issuance::RefuseTooMany(CertificateStore& store, const Applicant& applicant,
                                     const StoredCertificate& fresh, WallTime now) const {
  const std::int64_t after = UnixSeconds(now - kDay);
  DT_ASSIGN_OR_RETURN(const CertificateStore::Recent of_device,
                      store.IssuedToDevice(fresh.device_id, after, config_.device_daily_max));
  if (of_device.count >= config_.device_daily_max) {
    return TooMany(applicant.computer.name, config_.device_daily_max, of_device, now);
  }
  DT_ASSIGN_OR_RETURN(const CertificateStore::Recent of_user,
                      store.IssuedToUser(fresh.user_id, after, config_.user_daily_max));
  if (of_user.count < config_.user_daily_max) return absl::OkStatus();
  return TooMany(fresh.principal, config_.user_daily_max, of_user, now);
}

absl::StatusOr<Issuance::Found> Issuance::Complete(const PlannedCertificate& plan) {
  const auto issuers = context_.issuers.Current();
  const Issuer* const issuer = issuers->Find(plan.certificate.issuer_id);
  if (issuer == nullptr) {
    return MakeError(StatusCode::kUnavailable, reason::v1::REASON_CONFLICTING_STATE,
                     "the issuer that was to sign this certificate is there no more",
                     plan.certificate.issuer_id, "Get a new user token and enroll again.");
  }
  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate, issuer->Sign(plan.content));
  DT_ASSIGN_OR_RETURN(Found done, Record(plan, certificate.der()));
  if (done.is_new) {
    kCertificatesIssued.With().Add();
    Log(LogLevel::kInfo, kIssueEvent,
        {{"serial", done.certificate->serial},
         {"device_id", done.certificate->device_id},
         {"user", done.certificate->principal}});
    if (done.certificate->revoked_at) return RevokedMeanwhile(done.certificate->principal);
  }
  return done;
}

// Two that complete one plan at once record one certificate. Where the user's certificates were
// revoked since the plan was made, or key or computer blocked, this one is revoked, too: it is
// signed, so it is accounted for.
absl::StatusOr<Issuance::Found> Issuance::Record(const PlannedCertificate& plan, Bytes der) {
  const WallTime now = context_.clock.Now();
  StoredCertificate signed_one = plan.certificate;
  signed_one.der = std::move(der);
  const Bytes events = EnrolledEvents(signed_one, plan.client_address, now);
  return context_.database.Write([&](db::Transaction& txn) -> absl::StatusOr<Found> {
    CertificateStore store(txn);
    DT_ASSIGN_OR_RETURN(const bool planned, PlanStore(txn).Remove(signed_one.serial));
    if (!planned) {
      DT_ASSIGN_OR_RETURN(auto recorded, store.FindBySerial(signed_one.serial));
      if (!recorded) return absl::InternalError("a plan is gone that nobody recorded");
      if (recorded->revoked_at) return RevokedMeanwhile(recorded->principal);
      Found done;
      done.certificate = std::move(recorded);
      return done;
    }
    Found done;
    done.certificate = signed_one;
    done.is_new = true;
    std::string renews = plan.renews;
    if (renews.empty()) {
      DT_ASSIGN_OR_RETURN(renews, store.FindRenewed(signed_one, UnixSeconds(now)));
    }
    DT_RETURN_IF_ERROR(store.Insert(signed_one));
    DT_RETURN_IF_ERROR(context_.outbox.Append(txn, "enroll-" + signed_one.serial, events));
    if (!renews.empty()) {
      DT_RETURN_IF_ERROR(context_.outbox.Append(
          txn, "renew-" + signed_one.serial,
          RenewedEvent(signed_one, {renews, plan.forced}, plan.client_address, now)));
    }
    DT_ASSIGN_OR_RETURN(const auto reason, TakenBackSince(txn, plan));
    if (reason) {
      DT_RETURN_IF_ERROR(store.Revoke(*done.certificate, *reason, now));
      const Change event = RevokedEvent(*done.certificate, "ca", now);
      DT_RETURN_IF_ERROR(context_.outbox.Append(txn, event.id, event.payload));
    }
    return done;
  });
}

absl::StatusOr<int> Issuance::CompletePlanned() {
  std::string last;
  int completed = 0;
  while (true) {
    DT_ASSIGN_OR_RETURN(const auto plans, context_.database.Read([&](db::Transaction& txn) {
      return PlanStore(txn).After(last, kPlansAtOnce);
    }));
    if (plans.empty()) return completed;
    for (const PlannedCertificate& plan : plans) {
      last = plan.certificate.serial;
      const absl::Status status = Complete(plan).status();
      if (status.ok() || rpc::ReasonOf(status) == reason::v1::REASON_USER_REVOKED_MEANWHILE) {
        ++completed;
        continue;
      }
      Log(LogLevel::kWarning, "ca.plan.left",
          {{"serial", last}, {"user", plan.certificate.principal}, {"status", status.ToString()}});
    }
  }
}

}  // namespace devicetrust::ca
