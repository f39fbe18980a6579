// Keys of roots and issuers: sealed in the store, or in a PKCS#11 token.
#pragma once

#include <memory>
#include <string>

#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/aead.h"
#include "libs/pki/certificate.h"
#include "libs/pki/key.h"
#include "libs/pki/pkcs11.h"

namespace devicetrust::ca {

// Where a key is, one of the two.
struct KeyPlace {
  Bytes sealed;     // PKCS#8 under the key-encryption key.
  std::string uri;  // In a token (RFC 7512).
};

struct UsableKey {
  pki::Signer signer;
  std::shared_ptr<const pki::Pkcs11Key> token = {};  // Null: it was sealed.
};

// Thread-safe.
class AuthorityKeys {
 public:
  AuthorityKeys(std::string org, pki::AeadKey kek, pki::Pkcs11Options pkcs11)
      : org_(std::move(org)), kek_(std::move(kek)), pkcs11_(std::move(pkcs11)) {}

  struct New {
    UsableKey key;
    // Of a key that was made here: its octets, for Seal(). Empty for one in a token.
    Bytes pkcs8;
  };
  // Makes a P-256 key or, with a URI, finds the one in a token. kInvalidArgument: no such URI,
  // another kind of key. Otherwise those of pki::Pkcs11Key::Find().
  absl::StatusOr<New> Make(const std::string& uri) const;

  // `name` is part of what the seal says: nobody can swap two keys of the store. Wipes `pkcs8`.
  absl::StatusOr<Bytes> Seal(const std::string& name, Bytes& pkcs8, Random& random) const;
  // The octets again. Errors say which options may be wrong.
  absl::StatusOr<Bytes> Unseal(const std::string& name, const Bytes& sealed) const;

  // The key for `certificate`, sealed under `name`. A token is not asked yet.
  absl::StatusOr<UsableKey> Open(const std::string& name, const KeyPlace& place,
                                 const pki::Certificate& certificate) const;

 private:
  const std::string org_;
  const pki::AeadKey kek_;
  const pki::Pkcs11Options pkcs11_;
};

}  // namespace devicetrust::ca
