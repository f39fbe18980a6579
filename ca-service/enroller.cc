#include "ca-service/enroller.h"

#include <algorithm>
#include <span>
#include <string>

#include "ca-service/events.h"
#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/log_sparsely.h"
#include "libs/pki/csr.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"

namespace devicetrust::ca {
namespace {

using absl::StatusCode;
using rpc::MakeError;

constexpr std::size_t kSerialDigitsMax = 40;  // RFC 5280, section 4.1.2.2.

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

// Lower-cased, as the store has it.
absl::Status CheckSerial(std::string& serial) {
  const bool hex = std::ranges::all_of(serial, IsHexDigit);
  serial = LowerCase(serial);
  if (hex && serial.size() <= kSerialDigitsMax) return absl::OkStatus();
  return MakeError(StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                   "`renews` is no serial number", {},
                   "Send the serial of the certificate to renew, at most 40 hex digits.");
}

// Refusals for good; faults of servers are in the servers' logs.
bool IsForTheSystemLog(const absl::Status& refused) {
  return absl::IsPermissionDenied(refused) && rpc::DetailOf(refused).has_value();
}

}  // namespace

absl::StatusOr<StoredCertificate> Enroller::Enroll(std::string_view user_token,
                                                   std::string_view csr_der,
                                                   std::string_view client_address,
                                                   Renewal renewal) {
  DT_RETURN_IF_ERROR(CheckSerial(renewal.serial));
  DT_ASSIGN_OR_RETURN(const token::UserToken token,
                      iwa_keys_.Verify(user_token, context_.clock.Now()));
  const Applicant applicant = ApplicantOf(token, org_);
  DT_RETURN_IF_ERROR(CheckRateLimit(applicant));
  auto certificate = EnrollVerified(applicant, csr_der, client_address, renewal);
  if (!certificate.ok()) {
    const absl::Status refused = rpc::StoreError(certificate.status());
    LogSparsely(LogLevel::kWarning, "user.credential.enroll.refused", applicant.user.name,
                {{"user", applicant.user.name},
                 {"computer", applicant.computer.name},
                 {"reason", rpc::ReasonName(refused)},
                 {"message", std::string(refused.message())}});
    if (IsForTheSystemLog(refused)) LogRefusal(applicant, refused, client_address);
    return refused;
  }
  return certificate;
}

// One agent that runs in a loop, or one user's many, costs the others nothing. Not logged: so
// it costs no disk either.
absl::Status Enroller::CheckRateLimit(const Applicant& applicant) {
  const auto now = std::chrono::steady_clock::now();
  for (const Account* account : {&applicant.computer, &applicant.user}) {
    const std::chrono::seconds wait = limiter_.Count(account->sid, now);
    if (wait == std::chrono::seconds(0)) continue;
    return MakeError(StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                     "too many enrollments were asked for in one minute", account->name,
                     "Wait; if it repeats, look for an agent that runs in a loop.", wait);
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredCertificate> Enroller::EnrollVerified(const Applicant& applicant,
                                                           std::string_view csr_der,
                                                           std::string_view client_address,
                                                           const Renewal& renewal) {
  DT_ASSIGN_OR_RETURN(const pki::VerifiedCsr csr, CheckCsr(csr_der));
  if (csr.public_key.Thumbprint() != applicant.key_thumbprint) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_TOKEN_WRONG_KEY,
                     "the certificate request holds another key than the user token names", {},
                     "Ask for both tokens with the thumbprint of the key to be certified.");
  }
  if (known_keys_.Contains(csr.public_key)) {
    return MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_KEY_NOT_ACCEPTED,
                     "others know the private half of this key", applicant.key_thumbprint,
                     "Make a new key with the system's random numbers and enroll with it.");
  }
  return issuance_.Certify(applicant, csr.public_key, client_address, renewal);
}

// One event per evidence and reason, however often the refused call comes again.
void Enroller::LogRefusal(const Applicant& applicant, const absl::Status& refused,
                          std::string_view client_address) {
  const std::string reason = rpc::ReasonName(refused);
  const auto digest = pki::Sha256(applicant.evidence.id + "/" + reason);
  const std::string event_id = "refused-" + HexEncode(std::span(digest).first(16));
  const Bytes event = RefusedEvent({event_id, applicant.user.sid, applicant.user.name,
                                    applicant.computer.sid, reason, std::string(client_address)},
                                   context_.clock.Now());
  const absl::Status logged = context_.database.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(context_.outbox.RefuseWhenFull(txn));
    return context_.outbox.Append(txn, event_id, event);
  });
  if (!logged.ok() && !absl::IsAlreadyExists(logged)) {
    LogSparsely(LogLevel::kWarning, "ca.event.dropped", applicant.user.name,
                {{"status", logged.ToString()}});
  }
}

}  // namespace devicetrust::ca
