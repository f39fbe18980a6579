#include "policy-engine/decisions/proof_check.h"

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/rpc/enum_name.h"
#include "libs/token/claims.h"
#include "libs/token/names.h"

namespace devicetrust::policy {
namespace {

ProofVerdict Invalid(std::string detail) {
  ProofVerdict verdict;
  verdict.reason = reason::v1::REASON_PROOF_INVALID;
  verdict.detail = std::move(detail);
  return verdict;
}

bool Matches(const std::string& claim, const std::string& hash) {
  return hash.size() == sizeof(pki::Sha256Digest) &&
         pki::ConstantTimeEquals(claim, Base64UrlEncode(AsBytes(hash)));
}

// The gateway's word, as a reason of ours; one that this release does not know stays a refusal.
reason::v1::Reason ReasonOf(const token::Proof& proof) {
  const auto reason = rpc::EnumNamed<reason::v1::Reason>(proof.reason);
  return reason.value_or(reason::v1::REASON_UNSPECIFIED) == reason::v1::REASON_UNSPECIFIED
             ? reason::v1::REASON_PROOF_INVALID
             : *reason;
}

}  // namespace

ProofVerdict CheckProof(const org::v1::EvaluateRequest& request, const token::KeySet& keys,
                        std::string_view org_id, WallTime now) {
  if (request.proof().empty()) return {};
  const absl::StatusOr<token::Proof> proof =
      token::VerifyProof(request.proof(), keys, token::ProofAudience(org_id), now);
  if (!proof.ok()) return Invalid(std::string(proof.status().message()));
  if (!Matches(proof->transaction_hash, request.transaction_hash())) {
    return Invalid("it is of another transaction");
  }
  // Made again from the id: the caller's hash alone would not tie the proof to this session.
  const pki::Sha256Digest session = pki::Sha256(request.session().session_id());
  if (!pki::ConstantTimeEquals(session, AsBytes(request.session_hash())) ||
      !Matches(proof->session_hash, request.session_hash())) {
    return Invalid("it is of another session");
  }
  ProofVerdict verdict;
  verdict.valid = true;
  verdict.trusted =
      proof->trusted && request.trust_override_reason() == reason::v1::REASON_UNSPECIFIED;
  if (!proof->trusted) verdict.reason = ReasonOf(*proof);
  if (proof->trusted && !verdict.trusted) verdict.reason = request.trust_override_reason();
  verdict.id = proof->envelope.id;
  verdict.expires_at = proof->envelope.expires_at;
  verdict.serial = proof->serial;
  verdict.device_id = proof->device_id;
  verdict.enrollment_id = proof->enrollment_id;
  return verdict;
}

std::string_view WordsOf(reason::v1::Reason reason) {
  switch (reason) {
    case reason::v1::REASON_UNSPECIFIED:
      return "";
    case reason::v1::REASON_CERTIFICATE_NOT_PRESENTED:
      return "no certificate was presented";
    case reason::v1::REASON_CERTIFICATE_OF_ANOTHER_CA:
      return "the certificate is of another CA";
    case reason::v1::REASON_CERTIFICATE_SIGNATURE_INVALID:
      return "the certificate's signature is wrong";
    case reason::v1::REASON_CERTIFICATE_EXPIRED:
      return "the certificate has expired";
    case reason::v1::REASON_CERTIFICATE_NOT_YET_VALID:
      return "the certificate is not valid yet";
    case reason::v1::REASON_CERTIFICATE_REVOKED:
      return "the certificate is revoked";
    case reason::v1::REASON_CERTIFICATE_OF_ANOTHER_USER:
      return "the certificate is another user's";
    case reason::v1::REASON_CERTIFICATE_UNKNOWN:
      return "the org knows no enrollment of this certificate";
    case reason::v1::REASON_REVOCATION_DATA_STALE:
      return "the gateway's revocation data is too old";
    case reason::v1::REASON_CHALLENGE_NOT_DONE:
      return "no device challenge was made";
    case reason::v1::REASON_PROOF_REPLAYED:
      return "the proof was used before";
    case reason::v1::REASON_PROOF_INVALID:
      return "the proof does not hold";
    default:
      return "the certificate is not acceptable";
  }
}

}  // namespace devicetrust::policy
