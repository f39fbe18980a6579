// The short way for P-256 keys. OpenSSL 3.0 encodes, decodes and uses any other key through
// its provider machinery: 60 us to write a SubjectPublicKeyInfo, 120 us to read one, 100 us to
// write a PKCS#8 key, 30 us around each signature, where the signature costs 20 us. Same curve
// arithmetic, same checks. Inside libs/pki.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {

inline constexpr std::size_t kP256PointBytes = 65;  // Uncompressed: 4, x, y.

// The point in a DER SubjectPublicKeyInfo of the named curve P-256, uncompressed (RFC 5480).
// Nothing for any other form of key; whether the point is on the curve is not looked at.
std::optional<std::span<const std::uint8_t>> P256PointOfSpki(std::span<const std::uint8_t> der);

// Null when it is not an uncompressed point of the curve.
EvpPkeyPtr P256FromPoint(std::span<const std::uint8_t> point);

// A PKCS#8 key in the one form that OpenSSL writes for P-256: named curve, with the public
// half. Null for any other form, good or bad.
EvpPkeyPtr P256FromPkcs8(std::span<const std::uint8_t> der);

// A new key. Null when there is no randomness.
EvpPkeyPtr P256Generate();

// The public half of `key` in the form that X509_set_pubkey and X509_REQ_set_pubkey write
// fast; `key` itself when it is not P-256 or has that form.
EvpPkeyPtr ForWriting(EVP_PKEY* key);

// Whether `key` is one that the functions above make; the ones below take no other.
bool IsShortP256(const EVP_PKEY* key);

std::array<std::uint8_t, kP256PointBytes> P256PointOf(const EVP_PKEY* key);

// ECDSA in DER. Empty when `key` has no private half, or there is no randomness.
Bytes P256Sign(const EVP_PKEY* key, const Sha256Digest& digest);
// `digest`: of any hash. Leaves OpenSSL's error queue as it was.
bool P256Verify(const EVP_PKEY* key, std::span<const std::uint8_t> digest,
                std::span<const std::uint8_t> signature);

// A key that many signatures are verified by. OpenSSL keeps a table of multiples of the generator
// of a group; with one of the key's point too, a signature costs half: 29 us instead of 59. The
// table has 150 KB. Thread-safe.
class P256Table {
 public:
  // Null when IsShortP256() is false, or memory is gone.
  static std::unique_ptr<const P256Table> For(const EVP_PKEY* key);
  ~P256Table();
  P256Table(const P256Table&) = delete;
  P256Table& operator=(const P256Table&) = delete;

  // As P256Verify().
  bool Verify(std::span<const std::uint8_t> digest, std::span<const std::uint8_t> signature) const;

 private:
  struct State;
  explicit P256Table(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace devicetrust::pki
