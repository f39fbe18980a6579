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

}  // namespace devicetrust::policy
