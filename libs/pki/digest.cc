#include "libs/pki/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "libs/base/check.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

// Fetched once: an EVP_sha256() is looked up again at each use.
const EVP_MD* FetchedSha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  DT_CHECK(digest != nullptr);
  return digest;
}

void Hmac(const EVP_MD* digest, std::span<const std::uint8_t> key,
          std::span<const std::uint8_t> data, std::uint8_t* out) {
  static constexpr std::uint8_t kEmpty = 0;  // A null key would mean "the previous one".
  const std::uint8_t* bytes = key.empty() ? &kEmpty : key.data();
  const auto* done =
      HMAC(digest, bytes, static_cast<int>(key.size()), data.data(), data.size(), out, nullptr);
  DT_CHECK(done != nullptr);
}

}  // namespace

Sha256Digest Sha256(std::span<const std::uint8_t> data) {
  Sha256Digest digest{};
  const int done =
      EVP_Digest(data.data(), data.size(), digest.data(), nullptr, FetchedSha256(), nullptr);
  DT_CHECK(done == 1);
  return digest;
}

const EVP_MD* DigestOf(HashType type) {
  switch (type) {
    case HashType::kSha384:
      return EVP_sha384();
    case HashType::kSha512:
      return EVP_sha512();
    case HashType::kSha256:
      break;
  }
  return FetchedSha256();
}

Bytes HashOf(HashType type, std::span<const std::uint8_t> data) {
  const EVP_MD* digest = DigestOf(type);
  Bytes hash(static_cast<std::size_t>(EVP_MD_get_size(digest)));
  const int done = EVP_Digest(data.data(), data.size(), hash.data(), nullptr, digest, nullptr);
  DT_CHECK(done == 1);
  return hash;
}

Sha256Digest HmacSha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data) {
  Sha256Digest mac{};
  Hmac(FetchedSha256(), key, data, mac.data());
  return mac;
}

Sha1Digest HmacSha1(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data) {
  Sha1Digest mac{};
  Hmac(EVP_sha1(), key, data, mac.data());
  return mac;
}

bool ConstantTimeEquals(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void Wipe(std::span<std::uint8_t> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

}  // namespace devicetrust::pki
