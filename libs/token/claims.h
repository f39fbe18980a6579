// The three tokens of the system (docs/behaviour.md, IWA-2, IWA-3, SSO-2), as structs. Times are
// whole seconds. Single use is the caller's: record `id` after all else was checked, in the
// transaction of what it pays for, and keep it until expires_at + kClockSkew.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/token/jws.h"
#include "libs/token/key_set.h"

namespace devicetrust::token {

inline constexpr std::chrono::seconds kClockSkew{30};
inline constexpr std::chrono::seconds kDeviceTokenLifetime{300};
inline constexpr std::chrono::seconds kUserTokenLifetime{300};
inline constexpr std::chrono::seconds kProofLifetime{30};

// What every token says. A verified one has the issuer that its key is registered for.
struct Envelope {
  std::string issuer;    // iss
  std::string audience;  // aud
  std::string id;        // jti: unique; NewTokenId() makes one.
  WallTime issued_at;    // iat
  WallTime expires_at;   // exp
  // kid of the key that verified it. Not a claim: Sign() does not look at it.
  std::string key_id = {};
};

// 32 digits for Envelope::id, in the order of issue (ordered_id.h), with 80 random bits.
absl::StatusOr<std::string> NewTokenId(WallTime now, Random& random);

// `typ` dt-device+jwt: an IWA saw this computer's ticket. Audience: the same IWA.
struct DeviceToken {
  Envelope envelope;
  std::string computer_sid;    // sub: S-1-5-21-...
  std::string computer_name;   // name: PC0042$
  std::string realm;           // realm: CORP.TEST
  std::string key_thumbprint;  // cnf.jkt (RFC 7800, RFC 7638): the only key it is good for.
};

// `typ` dt-user+jwt: the same IWA saw this user's ticket, on that computer. Audience: the CA.
struct UserToken {
  Envelope envelope;
  std::string user_sid;        // sub
  std::string user_name;       // name: alice@CORP.TEST
  std::string computer_sid;    // device
  std::string computer_name;   // device_name
  std::string realm;           // realm, of the computer; the user's is in user_name.
  std::string key_thumbprint;  // cnf.jkt
};

// `typ` dt-proof+jwt: what an mTLS host saw in one challenge. Audience: the policy engine.
struct Proof {
  Envelope envelope;
  std::string transaction_hash;  // txn: base64url SHA-256 of the transaction's id.
  std::string session_hash;      // ses: the same of the session's id.
  bool trusted = false;          // The certificate is good; whose it is, the org decides.
  std::string reason;            // reason: why not trusted, a name of reason.v1; else empty.
  std::string serial;            // serial: of the certificate shown, hex; empty without one.
  std::string device_id;         // device: from its URI names when it is genuine; else empty.
  std::string enrollment_id;     // enrollment
};

// Compact JWS. kInvalidArgument when a field is empty that must not be, longer than 256
// bytes, or the lifetime is longer than the kind's.
absl::StatusOr<std::string> Sign(const DeviceToken& token, const SigningKey& key);
absl::StatusOr<std::string> Sign(const UserToken& token, const SigningKey& key);
absl::StatusOr<std::string> Sign(const Proof& proof, const SigningKey& key);

// Everything that VerifyEs256 checks, then issuer (the one that the key is registered for),
// audience, times with kClockSkew (a proof's end without: one deployment's clocks agree, and what
// it says changes), `nbf` when there is one, a lifetime no longer than the kind's, and every
// claim: present, of its type, no duplicate members at any depth. Unknown claims are ignored.
// Refusals are those of Refuse() in jws.h.
absl::StatusOr<DeviceToken> VerifyDeviceToken(std::string_view compact, const KeySet& keys,
                                              std::string_view audience, WallTime now);
absl::StatusOr<UserToken> VerifyUserToken(std::string_view compact, const KeySet& keys,
                                          std::string_view audience, WallTime now);
absl::StatusOr<Proof> VerifyProof(std::string_view compact, const KeySet& keys,
                                  std::string_view audience, WallTime now);

}  // namespace devicetrust::token
