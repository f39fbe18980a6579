#pragma once

#include <string>
#include <string_view>

#include "devicetrust/org/v1/decisions.pb.h"
#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/clock.h"
#include "libs/token/key_set.h"

namespace devicetrust::policy {

// What a gateway's proof says of the device, after every check that needs no store. Whether
// it was used before and whose certificate it is, the store tells.
struct ProofVerdict {
  bool valid = false;    // Signed by a gateway's key, fresh, of this transaction and session.
  bool trusted = false;  // And the gateway found a good certificate.
  reason::v1::Reason reason = reason::v1::REASON_CHALLENGE_NOT_DONE;  // Why not trusted.
  std::string detail;  // For our log: what is wrong with an invalid proof.
  std::string id;      // For single use; empty unless valid, as are the next ones.
  WallTime expires_at;
  std::string serial;     // Of the certificate shown; empty when there was none.
  std::string device_id;  // Of a genuine certificate, revoked or not; else empty.
  std::string enrollment_id;
};

// Never fails: what is wrong with a proof makes the device not trusted. An empty proof means
// that no challenge was done. Cost: one signature verification.
ProofVerdict CheckProof(const org::v1::EvaluateRequest& request, const token::KeySet& keys,
                        std::string_view org_id, WallTime now);

}  // namespace devicetrust::policy
