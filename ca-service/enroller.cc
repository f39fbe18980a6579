#include "ca-service/enroller.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <tuple>
#include <utility>

#include "ca-service/events.h"
#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/base/ordered_id.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/token/names.h"

namespace devicetrust::ca {
namespace {

using absl::StatusCode;
using rpc::MakeError;

constexpr int kDeviceRacesMax = 3;
constexpr std::size_t kIdOctets = 16;
constexpr std::uint64_t kForgetTokensEvery = 512;  // Certificates.

absl::StatusOr<pki::VerifiedCsr> CheckCsr(std::string_view der) {
  auto csr = pki::ParseCsr(AsBytes(der));
  if (csr.ok()) return csr;
  const std::string message = "certificate request: " + std::string(csr.status().message());
  switch (csr.status().code()) {
    case StatusCode::kFailedPrecondition:
      return MakeError(StatusCode::kInvalidArgument, reason::v1::REASON_KEY_NOT_ACCEPTED, message,
                       {},
                       "Make a P-256 key (named curve, uncompressed point) and enroll with it.");
    case StatusCode::kPermissionDenied:
      return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_CSR_PROOF_INVALID, message,
                       {}, "Sign the request with the private half of the key that it holds.");
    default:
      return MakeError(StatusCode::kInvalidArgument, reason::v1::REASON_CSR_MALFORMED, message, {},
                       "Send one PKCS#10 request as DER, signed by ECDSA with SHA-256.");
  }
}

absl::Status Replayed(std::string message) {
  return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_TOKEN_REPLAYED,
                   std::move(message), {}, "Get a new user token and enroll again.");
}

// The answer that the store alone allows: a certificate, none yet, or a refusal.
absl::StatusOr<std::optional<StoredCertificate>> FindAnswer(Tables& tables,
                                                            const token::UserToken& token,
                                                            const Tables::Known& known,
                                                            WallTime now) {
  const bool spent = !known.token_spent_for.empty();
  if (spent && known.token_spent_for != token.key_thumbprint) {
    return Replayed("the user token was used for another key");
  }
  std::optional<StoredCertificate> live;
  if (!known.device_id.empty()) {
    DT_ASSIGN_OR_RETURN(live, tables.FindLive(token.user_sid, known.device_id, token.key_thumbprint,
                                              UnixSeconds(now)));
  }
  if (spent && !live) {
    return Replayed("the user token was used, and its certificate is revoked or has expired");
  }
  return live;
}

bool IsRefusalToTell(const absl::Status& status) {
  return absl::IsPermissionDenied(status) && rpc::DetailOf(status).has_value();
}

}  // namespace

absl::StatusOr<StoredCertificate> Enroller::Enroll(std::string_view user_token,
                                                   std::string_view csr_der,
                                                   std::string_view client_address) {
  DT_ASSIGN_OR_RETURN(const token::UserToken token, iwa_keys_.Verify(user_token, clock_.Now()));
  DT_RETURN_IF_ERROR(CheckShare(token));
  auto certificate = EnrollGenuine(token, csr_der, client_address);
  if (!certificate.ok()) {
    const absl::Status refused = rpc::StoreError(certificate.status());
    Log(LogLevel::kWarning, "user.credential.enroll.refused",
        {{"user", token.user_name},
         {"computer", token.computer_name},
         {"reason", rpc::ReasonName(refused)},
         {"message", std::string(refused.message())}});
    if (IsRefusalToTell(refused)) TellRefusal(token, refused, client_address);
    return refused;
  }
  return certificate;
}

// One agent that runs in a loop, or one user's many, costs the others nothing. Not logged: so
// it costs no disk either.
absl::Status Enroller::CheckShare(const token::UserToken& token) {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [sid, name] : {std::tie(token.computer_sid, token.computer_name),
                                  std::tie(token.user_sid, token.user_name)}) {
    const std::chrono::seconds wait = limiter_.Count(sid, now);
    if (wait == std::chrono::seconds(0)) continue;
    return MakeError(StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                     "too many enrollments were asked for in one minute", name,
                     "Wait; if it repeats, look for an agent that runs in a loop.", wait);
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredCertificate> Enroller::EnrollGenuine(const token::UserToken& token,
                                                          std::string_view csr_der,
                                                          std::string_view client_address) {
  DT_ASSIGN_OR_RETURN(const pki::VerifiedCsr csr, CheckCsr(csr_der));
  if (csr.public_key.Thumbprint() != token.key_thumbprint) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_TOKEN_WRONG_KEY,
                     "the certificate request holds another key than the user token names", {},
                     "Ask for both tokens with the thumbprint of the key to be certified.");
  }
  for (int i = 0; i < kDeviceRacesMax; ++i) {
    DT_ASSIGN_OR_RETURN(Recorded recorded, EnrollOnce(token, csr, client_address));
    if (recorded.device_raced) continue;
    if (recorded.is_new) {
      Log(LogLevel::kInfo, kIssueEvent,
          {{"serial", recorded.certificate.serial},
           {"device_id", recorded.certificate.device_id},
           {"user", recorded.certificate.principal}});
    }
    return std::move(recorded.certificate);
  }
  return MakeError(StatusCode::kUnavailable, reason::v1::REASON_CONFLICTING_STATE,
                   "this computer enrolls many times at once", token.computer_name, "Try again.",
                   std::chrono::seconds(1));
}

absl::StatusOr<Enroller::Recorded> Enroller::EnrollOnce(const token::UserToken& token,
                                                        const pki::VerifiedCsr& csr,
                                                        std::string_view client_address) {
  const WallTime now = clock_.Now();
  DT_ASSIGN_OR_RETURN(Known known, LookUp(token, now));
  if (known.certificate) return Recorded{*std::move(known.certificate)};

  StoredCertificate fresh;
  DT_ASSIGN_OR_RETURN(fresh.enrollment_id, NewOrderedId(kIdOctets, now, random_));
  fresh.device_id = known.facts.device_id;
  if (fresh.device_id.empty()) {
    DT_ASSIGN_OR_RETURN(fresh.device_id, NewDeviceId());
  }
  DT_ASSIGN_OR_RETURN(const auto user, Authorize(token, fresh.device_id, fresh.enrollment_id));

  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                      ca_.Issue({config_.org, fresh.device_id, fresh.enrollment_id, config_.crl_url,
                                 config_.issuer_url},
                                csr.public_key, config_.profile, now, random_));
  fresh.serial = certificate.serial_hex();
  fresh.user_id = user.user_id();
  fresh.user_sid = token.user_sid;
  fresh.principal = user.principal().empty() ? token.user_name : user.principal();
  fresh.key_thumbprint = token.key_thumbprint;
  fresh.issued_at = UnixSeconds(now);
  fresh.not_after = UnixSeconds(certificate.not_after());
  fresh.der = certificate.der();
  return Record(token, known, std::move(fresh), client_address, now);
}

absl::StatusOr<Enroller::Known> Enroller::LookUp(const token::UserToken& token, WallTime now) {
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Known> {
    Tables tables(txn);
    Known known;
    // The org has yet to say who the user is.
    DT_ASSIGN_OR_RETURN(known.facts, tables.Find(token.envelope.id, token.computer_sid, {}));
    DT_ASSIGN_OR_RETURN(known.certificate, FindAnswer(tables, token, known.facts, now));
    return known;
  });
}

absl::StatusOr<org::v1::AuthorizedEnrollment> Enroller::Authorize(
    const token::UserToken& token, const std::string& device_id, const std::string& enrollment_id) {
  org::v1::EnrollmentRequest request;
  request.set_iwa_name(
      token::IdOfUrn(token.envelope.issuer, config_.org, "iwa").value_or(std::string()));
  request.set_kid(token.envelope.key_id);
  request.set_user_sid(token.user_sid);
  request.set_computer_sid(token.computer_sid);
  request.set_realm(token.realm);
  request.set_device_id(device_id);
  request.set_enrollment_id(enrollment_id);
  DT_ASSIGN_OR_RETURN(auto answer, org_.AuthorizeEnrollment(std::move(request)));
  if (answer.user_id().empty()) return absl::InternalError("the org named no user");
  return answer;
}

// Looks again at all that may have changed since LookUp(), and only then spends the token.
absl::StatusOr<Enroller::Recorded> Enroller::Record(const token::UserToken& token,
                                                    const Known& known, StoredCertificate fresh,
                                                    std::string_view client_address, WallTime now) {
  const Bytes events = EnrolledEvents(fresh, client_address, now);
  const SpentToken spent{
      token.envelope.id, token.key_thumbprint,
      UnixSeconds(token.envelope.expires_at + token::kClockSkew + std::chrono::seconds(1))};
  const bool forget = ++issued_ % kForgetTokensEvery == 0;
  return database_.Write([&](db::Transaction& txn) -> absl::StatusOr<Recorded> {
    Tables tables(txn);
    DT_ASSIGN_OR_RETURN(const Tables::Known facts,
                        tables.Find(token.envelope.id, token.computer_sid, fresh.user_id));
    DT_ASSIGN_OR_RETURN(auto answer, FindAnswer(tables, token, facts, now));
    if (answer) return Recorded{*std::move(answer)};
    if (facts.barrier_of_user > known.facts.barrier) {
      return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_USER_REVOKED_MEANWHILE,
                       "the user's certificates were revoked during this enrollment",
                       fresh.principal, "If the user is still active, enroll again.");
    }
    if (absl::Status full = outbox_.RefuseWhenFull(txn); absl::IsUnavailable(full)) {
      return MakeError(StatusCode::kUnavailable, reason::v1::REASON_LOG_BACKLOG_FULL,
                       std::string(full.message()), {}, "Bring the System Log (dt-policy) back.",
                       std::chrono::seconds(10));
    } else {
      DT_RETURN_IF_ERROR(full);
    }
    if (facts.device_id.empty()) {
      DT_RETURN_IF_ERROR(tables.AddDevice(token.computer_sid, fresh.device_id));
    } else if (facts.device_id != fresh.device_id) {
      return Recorded{{}, false, true};
    }
    DT_RETURN_IF_ERROR(tables.Insert(fresh));
    DT_RETURN_IF_ERROR(tables.SpendToken(spent, fresh.serial));
    DT_RETURN_IF_ERROR(outbox_.Append(txn, "enroll-" + fresh.serial, events));
    if (forget) DT_RETURN_IF_ERROR(tables.ForgetTokens(UnixSeconds(now)));
    return Recorded{fresh, true};
  });
}

// One event per token and reason, however often the refused call comes again.
void Enroller::TellRefusal(const token::UserToken& token, const absl::Status& refused,
                           std::string_view client_address) {
  const std::string reason = rpc::ReasonName(refused);
  const auto digest = pki::Sha256(token.envelope.id + "/" + reason);
  const RefusedEnrollment event{"refused-" + HexEncode(std::span(digest).first(16)),
                                token.user_sid,
                                token.user_name,
                                token.computer_sid,
                                reason,
                                std::string(client_address)};
  const absl::Status told = database_.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(outbox_.RefuseWhenFull(txn));
    return outbox_.Append(txn, event.event_id, RefusedEvent(event, clock_.Now()));
  });
  if (!told.ok() && !absl::IsAlreadyExists(told)) {
    Log(LogLevel::kWarning, "ca.event.dropped", {{"status", told.ToString()}});
  }
}

// Not an ordered one: it must not tell when the computer first enrolled.
absl::StatusOr<std::string> Enroller::NewDeviceId() {
  std::array<std::uint8_t, kIdOctets> bytes{};
  DT_RETURN_IF_ERROR(random_.Fill(bytes));
  return HexEncode(bytes);
}

}  // namespace devicetrust::ca
