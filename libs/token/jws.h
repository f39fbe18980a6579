// Compact JWS with ES256 and nothing else (RFC 7515, 7518; RFC 8725 on what goes wrong).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/status.h"
#include "libs/token/key_set.h"

namespace devicetrust::token {

inline constexpr std::size_t kTokenBytesMax = 8 * 1024;

// A refusal, one of REASON_TOKEN_*: kInvalidArgument for TOKEN_MALFORMED, kUnauthenticated for the
// others. rpc::ReasonOf() reads the reason. TOKEN_UNKNOWN_KEY: the key set may be old; fetch it
// anew and try again, once.
absl::Status Refuse(reason::v1::Reason reason, std::string message);

// `payload` signed, with header {"alg":"ES256","kid":...,"typ":...}; no typ when empty.
// kFailedPrecondition when the key is not P-256. Errors aside the result is never longer
// than kTokenBytesMax: kInvalidArgument.
absl::StatusOr<std::string> SignEs256(std::string_view payload, std::string_view typ,
                                      const SigningKey& key);

struct VerifiedJws {
  std::string payload;  // The bytes under the signature.
  KeySet::Entry signer;
};

// Accepts exactly: at most kTokenBytesMax; three parts of canonical, unpadded base64url; a
// header that is a JSON object with the members alg (= ES256), kid (of a key in `keys`) and
// typ (= `typ`; absent when `typ` is empty), each once, and no other, so that neither crit
// nor an embedded or linked key (jwk, jku, x5c, x5u) can matter; a signature of 64 bytes.
// Nothing of the payload is looked at before the signature verified. Cost: one verification.
absl::StatusOr<VerifiedJws> VerifyEs256(std::string_view compact, std::string_view typ,
                                        const KeySet& keys);

}  // namespace devicetrust::token
