// Private keys that this process may use and cannot read: in a TPM, behind PKCS#11, at a key
// service. One class for each kind of keeper implements ExternalKey; SignerFor() makes of it a
// Signer like any other, for certificates, lists, requests, tokens and TLS.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::pki {

// Thread-safe. A call may block, as a TLS handshake or a signature then does: an implementation
// bounds its time by a deadline of its own.
class ExternalKey {
 public:
  virtual ~ExternalKey() = default;

  // On P-256 or P-384; the same in every call.
  virtual PublicKey public_key() const = 0;

  // ECDSA over a hash of 20 octets or more, never longer than the curve's field (32 or 48
  // octets): a longer hash was cut as FIPS 186-5, section 6.4.1, says. Returns r and s, each as
  // long as the field, big-endian, one after the other. Errors: kUnavailable when the keeper does
  // not answer and may later, kFailedPrecondition when the key is gone; they reach the caller of
  // Signer::Sign as they are, and a TLS handshake as its end.
  virtual absl::StatusOr<Bytes> SignDigest(std::span<const std::uint8_t> digest) const = 0;
};

// kInvalidArgument unless the key is on P-256 or P-384.
absl::StatusOr<Signer> SignerFor(std::shared_ptr<const ExternalKey> key);

// The rest is for libs/pki.

// The keeper behind `key`; null when its octets are here. Borrowed: lives as long as `key`.
const ExternalKey* ExternalKeyOf(const evp_pkey_st* key);

// ECDSA in DER. kInternal when the keeper's answer is no signature of its curve's length.
absl::StatusOr<Bytes> SignExternally(const ExternalKey& key, std::span<const std::uint8_t> digest);

}  // namespace devicetrust::pki
