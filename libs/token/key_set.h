#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::token {

// The private half that signs tokens, and the name under which verifiers know it.
struct SigningKey {
  std::string kid;  // 1 to 128 characters; by convention the key's thumbprint.
  pki::Signer key;
};

// The public keys that may have signed a token, each tied to the one issuer in whose name
// it signs: a key of one IWA never vouches for another's token. Copy on write; reading is
// thread-safe.
class KeySet {
 public:
  struct Entry {
    std::string kid;
    std::string issuer;  // The `iss` of its tokens.
    pki::PublicKey key;
  };

  // A later entry of the same kid replaces the earlier.
  void Add(std::string kid, std::string issuer, pki::PublicKey key);
  const Entry* Find(std::string_view kid) const;  // Null when unknown.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// A public P-256 signing key as JWK (RFC 7517 and 7518, section 6.2.1), one line of JSON.
// kFailedPrecondition when the key is not P-256.
absl::StatusOr<std::string> ToJwk(const pki::PublicKey& key, std::string_view kid);

// The reverse; returns kid and key. kInvalidArgument unless it is a P-256 key for ES256
// signatures with a kid, not private, no duplicate members, at most 2 KiB.
absl::StatusOr<std::pair<std::string, pki::PublicKey>> FromJwk(std::string_view json);

}  // namespace devicetrust::token
