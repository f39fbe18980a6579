// Key pairs and signatures. P-256 is the default everywhere; RSA-2048 exists because
// SAML service providers expect it, P-384 because a client may bring it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/digest.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY: its headers stay inside libs/pki.

namespace devicetrust::pki {

enum class KeyType { kP256, kP384, kRsa2048 };  // kRsa2048: RSA of 2048 to 4096 bits.

// An ECDSA P-256 signature as JWS carries it: r and s, 32 octets each, big-endian
// (RFC 7518, section 3.4).
inline constexpr std::size_t kEs256Bytes = 64;

// One half of a key pair. Immutable, thread-safe, cheap to copy.
class PublicKey {
 public:
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  // From exactly one DER SubjectPublicKeyInfo (RFC 5280, section 4.1). kInvalidArgument
  // unless the key is on the named curve P-256 or P-384, or RSA of 2048 to 4096 bits.
  static absl::StatusOr<PublicKey> FromSpki(std::span<const std::uint8_t> der);
  // From the coordinates of a P-256 point, 32 octets each, big-endian. kInvalidArgument
  // when they are of another length or not on the curve.
  static absl::StatusOr<PublicKey> FromP256(std::span<const std::uint8_t> x,
                                            std::span<const std::uint8_t> y);

  KeyType type() const;
  Bytes Spki() const;       // DER SubjectPublicKeyInfo.
  std::string Pem() const;  // The same, armoured as "PUBLIC KEY".
  // x and y, 32 octets each. kFailedPrecondition when the key is not P-256.
  absl::StatusOr<std::array<std::uint8_t, 64>> P256Point() const;

  // RFC 7638 thumbprint with SHA-256, base64url (43 characters): how tokens (`cnf.jkt`)
  // and tables name a key.
  std::string Thumbprint() const;

  // Whether `signature` is ES256 over `message`: exactly kEs256Bytes, by a P-256 key.
  bool VerifyEs256(std::string_view message, std::span<const std::uint8_t> signature) const;
  // The same over any hash and by any key, as XML signatures carry it: r and s, each as long
  // as the curve's field (RFC 6931, section 2.3.6), or RSA PKCS#1 v1.5.
  bool VerifyRaw(HashType hash, std::span<const std::uint8_t> message,
                 std::span<const std::uint8_t> signature) const;
  // The same with SHA-256 in X.509 form: ECDSA in DER, or RSA PKCS#1 v1.5.
  bool Verify(std::span<const std::uint8_t> message, std::span<const std::uint8_t> signature) const;

  evp_pkey_st* get() const { return key_.get(); }  // Borrowed, never null.

 private:
  std::shared_ptr<evp_pkey_st> key_;
};

bool operator==(const PublicKey& a, const PublicKey& b);  // By type and value.

// The private half, to sign with and no more: its octets are not to be had through this type,
// and for a key of an ExternalKey (external_key.h) they are not even in this process. Everything
// that signs takes one. Immutable, thread-safe, cheap to copy.
class Signer {
 public:
  explicit Signer(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  PublicKey public_key() const;
  KeyType type() const { return public_key().type(); }

  // SHA-256 in X.509 form: ECDSA in DER, or RSA PKCS#1 v1.5 (RSA-SHA256 of XML signatures).
  // Errors: kInternal, or what an ExternalKey answered.
  absl::StatusOr<Bytes> Sign(std::span<const std::uint8_t> message) const;
  // ES256 over `message`, kEs256Bytes. kFailedPrecondition when the key is not P-256.
  absl::StatusOr<Bytes> SignEs256(std::string_view message) const;

  evp_pkey_st* get() const { return key_.get(); }  // Borrowed, never null.

 protected:
  std::shared_ptr<evp_pkey_st> key_;
};

// A signer whose octets this process has. Copied to a Signer it is the same key without the
// ways to export it. Freed with its memory wiped when the last copy goes.
class PrivateKey : public Signer {
 public:
  using Signer::Signer;
  static absl::StatusOr<PrivateKey> Generate(KeyType type = KeyType::kP256);

  // From one unencrypted PEM key (PKCS#8, SEC 1 or PKCS#1). kInvalidArgument when it is
  // none, encrypted, or of a kind that PublicKey::FromSpki would refuse.
  static absl::StatusOr<PrivateKey> FromPem(std::string_view pem);
  static absl::StatusOr<PrivateKey> FromPkcs8(std::span<const std::uint8_t> der);

  // The secret itself: for sealing and for files of mode 0600 only.
  std::string Pem() const;  // PKCS#8, "PRIVATE KEY".
  Bytes Pkcs8() const;
};

}  // namespace devicetrust::pki
