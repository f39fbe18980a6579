#include "policy-engine/decisions/decision_words.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

std::string_view WordsFor(reason::v1::Reason reason) {
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

std::string RemedyFor(const v1::Decision& decision, bool app_asks_for_trust) {
  switch (decision.outcome()) {
    case v1::OUTCOME_ALLOWED:
      return "";
    case v1::OUTCOME_FACTOR_REQUIRED:
      return "The user was asked for a second factor and has not given it yet.";
    case v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "The user was asked to sign in again.";
    default:
      break;
  }
  switch (decision.trust_reason()) {
    case reason::v1::REASON_UNSPECIFIED:
      if (decision.trust() == v1::TRUST_STATE_TRUSTED) {
        return "The device is trusted; the rule denies for another reason, see its conditions.";
      }
      return app_asks_for_trust ? "Device Trust was off, so that no rule that asks for it could "
                                  "match: switch it on."
                                : "No active rule of the app asks for device trust; see the "
                                  "conditions of the rule "
                                  "that denies.";
    case reason::v1::REASON_CERTIFICATE_NOT_PRESENTED:
      return "Enroll the computer, and check that its browser is set up to choose the certificate; "
             "a device that can't enroll needs a rule that lets it in.";
    case reason::v1::REASON_CERTIFICATE_REVOKED:
      return "If the revocation was wrong, remove the certificate from the computer and enroll it "
             "again.";
    case reason::v1::REASON_CERTIFICATE_EXPIRED:
      return "Run the agent on the company network, it renews the certificate.";
    case reason::v1::REASON_CERTIFICATE_OF_ANOTHER_USER:
      return "Sign in as the user who enrolled on this computer, or enroll the other one.";
    case reason::v1::REASON_REVOCATION_DATA_STALE:
      return "The gateway has lost its revocation stream: check that ca and policy are running.";
    case reason::v1::REASON_CHALLENGE_NOT_DONE:
    case reason::v1::REASON_PROOF_INVALID:
    case reason::v1::REASON_PROOF_REPLAYED:
      return "Open the app again; if it happens again, check what stands between browser and mTLS "
             "host.";
    default:
      return "Remove the certificate from the computer and enroll it again.";
  }
}

}  // namespace devicetrust::policy
