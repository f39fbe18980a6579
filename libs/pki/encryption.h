// Encryption to somebody else's key, in the forms that XML Encryption names: a content cipher with
// a fresh key, and RSA-OAEP for that key. What we seal for ourselves is aead.h's.
#pragma once

#include <cstdint>
#include <span>

#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::pki {

enum class ContentCipher { kAes128Gcm, kAes192Gcm, kAes256Gcm, kAes128Cbc, kAes192Cbc, kAes256Cbc };
std::size_t KeyBytesOf(ContentCipher cipher);

// RSA-OAEP (RFC 8017, section 7.1) without a label, by its hash and that of MGF1.
enum class OaepHash { kSha1, kSha256 };

// IV, cipher text and, with GCM, the tag (XML Encryption 1.1, section 5.2). CBC has padding and no
// authentication: only under a signature. `key`: KeyBytesOf(). kInternal: the random source failed.
absl::StatusOr<Bytes> EncryptContent(ContentCipher cipher, std::span<const std::uint8_t> key,
                                     std::span<const std::uint8_t> plain, Random& random);
// The reverse. kPermissionDenied when it was changed, is cut, or is for another key.
absl::StatusOr<Bytes> DecryptContent(ContentCipher cipher, std::span<const std::uint8_t> key,
                                     std::span<const std::uint8_t> encrypted);

// kFailedPrecondition: the key is not RSA. OpenSSL's own random source pads.
absl::StatusOr<Bytes> EncryptOaep(const PublicKey& key, OaepHash hash, OaepHash mgf1,
                                  std::span<const std::uint8_t> plain);
// kPermissionDenied when it was changed or is for another key.
absl::StatusOr<Bytes> DecryptOaep(const PrivateKey& key, OaepHash hash, OaepHash mgf1,
                                  std::span<const std::uint8_t> encrypted);

}  // namespace devicetrust::pki
