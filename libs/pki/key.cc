#include "libs/pki/key.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

#include "libs/base/check.h"
#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/pki/external_key.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"

namespace devicetrust::pki {
namespace {

constexpr std::size_t kKeyPemBytesMax = 64 * 1024;

using EcdsaSigPtr = Owned<ECDSA_SIG, &ECDSA_SIG_free>;
using EvpPkeyCtxPtr = Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;
using Pkcs8Ptr = Owned<PKCS8_PRIV_KEY_INFO, &PKCS8_PRIV_KEY_INFO_free>;

// Refuses instead of asking at the terminal, which is what a null callback does.
int NoPassword(char* /*out*/, int /*size*/, int /*writing*/, void* /*unused*/) { return -1; }

std::string BioText(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);  // Borrowed.
  return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

absl::StatusOr<EvpPkeyPtr> Checked(EvpPkeyPtr key, std::string_view what) {
  if (key == nullptr) return OpenSslError(absl::StatusCode::kInvalidArgument, what);
  DT_RETURN_IF_ERROR(CheckKey(key.get()));
  return key;
}

// An integer parameter as big-endian octets of its own length, as a JWK wants it.
Bytes Integer(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  EVP_PKEY_get_bn_param(key, name, &raw);
  const BignumPtr number(raw);
  DT_CHECK(number != nullptr);
  Bytes octets(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), octets.data());
  return octets;
}

// The uncompressed point without its first octet: x and y. Not by the parameter
// OSSL_PKEY_PARAM_PUB_KEY, which is a compressed point when the key is an EC_KEY inside.
Bytes Point(EVP_PKEY* key) {
  if (IsShortP256(key)) {
    const auto point = P256PointOf(key);
    return {point.begin() + 1, point.end()};
  }
  unsigned char* encoded = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(key, &encoded);
  const BytesPtr owner(encoded);
  DT_CHECK(size > 1 && encoded[0] == 4);
  return {encoded + 1, encoded + size};
}

// ECDSA in DER, or RSA PKCS#1 v1.5.
bool VerifyX509(EVP_PKEY* key, HashType hash, std::span<const std::uint8_t> message,
                std::span<const std::uint8_t> signature) {
  if (IsShortP256(key)) return P256Verify(key, HashOf(hash, message), signature);
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  const bool good =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, DigestOf(hash), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                       message.size()) == 1;
  if (!good) ClearErrors();
  return good;
}

}  // namespace

absl::StatusOr<PublicKey> PublicKey::FromSpki(std::span<const std::uint8_t> der) {
  if (const auto point = P256PointOfSpki(der)) {
    if (EvpPkeyPtr key = P256FromPoint(*point)) return PublicKey(std::move(key));
  }
  DT_ASSIGN_OR_RETURN(EvpPkeyPtr key, Checked(FromDer<EvpPkeyPtr>(der, &d2i_PUBKEY),
                                              "not a DER SubjectPublicKeyInfo"));
  PublicKey read(std::move(key));
  if (!std::ranges::equal(read.Spki(), der)) {  // OpenSSL reads BER too.
    return absl::InvalidArgumentError("not a DER SubjectPublicKeyInfo");
  }
  return read;
}

absl::StatusOr<PublicKey> PublicKey::FromP256(std::span<const std::uint8_t> x,
                                              std::span<const std::uint8_t> y) {
  if (x.size() != 32 || y.size() != 32) {
    return absl::InvalidArgumentError("a P-256 coordinate has 32 octets");
  }
  Bytes point = {POINT_CONVERSION_UNCOMPRESSED};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  EvpPkeyPtr key = P256FromPoint(point);
  if (key == nullptr) return absl::InvalidArgumentError("the point is not on the curve P-256");
  return PublicKey(std::move(key));
}

KeyType PublicKey::type() const {
  if (IsShortP256(key_.get())) return KeyType::kP256;
  if (EVP_PKEY_is_a(key_.get(), "RSA")) return KeyType::kRsa2048;
  return EVP_PKEY_get_bits(key_.get()) == 384 ? KeyType::kP384 : KeyType::kP256;
}

Bytes PublicKey::Spki() const { return ToDer(key_.get(), &i2d_PUBKEY); }

std::string PublicKey::Pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  const int written = PEM_write_bio_PUBKEY(bio.get(), key_.get());
  DT_CHECK(written == 1);  // Any key that parsed can be written.
  return BioText(bio.get());
}

absl::StatusOr<std::array<std::uint8_t, 64>> PublicKey::P256Point() const {
  if (type() != KeyType::kP256) return absl::FailedPreconditionError("key is not P-256");
  std::array<std::uint8_t, 64> point{};
  std::ranges::copy(Point(key_.get()), point.begin());
  return point;
}

std::string PublicKey::Thumbprint() const {
  // RFC 7638, section 3: the required members in lexicographic order, no white space.
  std::string json;
  if (type() == KeyType::kRsa2048) {
    json = fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})",
                       Base64UrlEncode(Integer(key_.get(), OSSL_PKEY_PARAM_RSA_E)),
                       Base64UrlEncode(Integer(key_.get(), OSSL_PKEY_PARAM_RSA_N)));
  } else {
    const Bytes point = Point(key_.get());
    const std::span<const std::uint8_t> both(point);
    const std::size_t half = point.size() / 2;
    json = fmt::format(R"({{"crv":"{}","kty":"EC","x":"{}","y":"{}"}})",
                       half == 32 ? "P-256" : "P-384", Base64UrlEncode(both.first(half)),
                       Base64UrlEncode(both.subspan(half)));
  }
  return Base64UrlEncode(Sha256(json));
}

bool PublicKey::VerifyEs256(std::string_view message,
                            std::span<const std::uint8_t> signature) const {
  return type() == KeyType::kP256 && VerifyRaw(HashType::kSha256, AsBytes(message), signature);
}

bool PublicKey::VerifyRaw(HashType hash, std::span<const std::uint8_t> message,
                          std::span<const std::uint8_t> signature) const {
  const KeyType kind = type();
  if (kind == KeyType::kRsa2048) return VerifyX509(key_.get(), hash, message, signature);
  const std::size_t half = kind == KeyType::kP256 ? 32 : 48;
  if (signature.size() != 2 * half) return false;
  const EcdsaSigPtr parts(ECDSA_SIG_new());
  BignumPtr r(BN_bin2bn(signature.data(), static_cast<int>(half), nullptr));
  BignumPtr s(BN_bin2bn(signature.data() + half, static_cast<int>(half), nullptr));
  if (parts == nullptr || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) return false;
  static_cast<void>(r.release());  // Now owned by `parts`.
  static_cast<void>(s.release());
  return VerifyX509(key_.get(), hash, message, ToDer(parts.get(), &i2d_ECDSA_SIG));
}

bool PublicKey::Verify(std::span<const std::uint8_t> message,
                       std::span<const std::uint8_t> signature) const {
  return VerifyX509(key_.get(), HashType::kSha256, message, signature);
}

bool operator==(const PublicKey& a, const PublicKey& b) {
  return EVP_PKEY_eq(a.get(), b.get()) == 1;
}

absl::StatusOr<PrivateKey> PrivateKey::Generate(KeyType type) {
  EvpPkeyPtr key = type == KeyType::kRsa2048 ? EvpPkeyPtr(EVP_RSA_gen(2048))
                   : type == KeyType::kP384  ? EvpPkeyPtr(EVP_EC_gen(SN_secp384r1))
                                             : P256Generate();
  if (key == nullptr) return OpenSslError(absl::StatusCode::kInternal, "key generation");
  return PrivateKey(std::move(key));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(std::string_view pem) {
  if (pem.size() > kKeyPemBytesMax) return absl::InvalidArgumentError("private key is too long");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EvpPkeyPtr parsed(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassword, nullptr));
  DT_ASSIGN_OR_RETURN(EvpPkeyPtr key,
                      Checked(std::move(parsed), "not an unencrypted PEM private key"));
  PrivateKey read(std::move(key));
  Bytes secret = read.Pkcs8();
  EvpPkeyPtr quick = P256FromPkcs8(secret);
  Wipe(secret);
  return quick == nullptr ? std::move(read) : PrivateKey(std::move(quick));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPkcs8(std::span<const std::uint8_t> der) {
  if (EvpPkeyPtr quick = P256FromPkcs8(der)) return PrivateKey(std::move(quick));
  const Pkcs8Ptr info = FromDer<Pkcs8Ptr>(der, &d2i_PKCS8_PRIV_KEY_INFO);
  EvpPkeyPtr parsed(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
  DT_ASSIGN_OR_RETURN(EvpPkeyPtr key, Checked(std::move(parsed), "not a PKCS#8 private key"));
  return PrivateKey(std::move(key));
}

std::string PrivateKey::Pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  const int written =
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  DT_CHECK(written == 1);
  return BioText(bio.get());
}

Bytes PrivateKey::Pkcs8() const {
  const Pkcs8Ptr info(EVP_PKEY2PKCS8(key_.get()));
  DT_CHECK(info != nullptr);
  return ToDer(info.get(), &i2d_PKCS8_PRIV_KEY_INFO);
}

PublicKey Signer::public_key() const {
  if (const ExternalKey* external = ExternalKeyOf(key_.get())) return external->public_key();
  return PublicKey(key_);
}

absl::StatusOr<Bytes> Signer::SignEs256(std::string_view message) const {
  if (type() != KeyType::kP256) return absl::FailedPreconditionError("ES256 needs a P-256 key");
  DT_ASSIGN_OR_RETURN(const Bytes der, Sign(AsBytes(message)));
  const EcdsaSigPtr parts = FromDer<EcdsaSigPtr>(der, &d2i_ECDSA_SIG);
  Bytes raw(kEs256Bytes);
  if (parts == nullptr || BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), raw.data(), 32) != 32 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), raw.data() + 32, 32) != 32) {
    return OpenSslError(absl::StatusCode::kInternal, "ECDSA signature");
  }
  return raw;
}

absl::StatusOr<Bytes> Signer::Sign(std::span<const std::uint8_t> message) const {
  if (const ExternalKey* external = ExternalKeyOf(key_.get())) {
    return SignExternally(*external, Sha256(message));
  }
  if (IsShortP256(key_.get())) {
    Bytes quick = P256Sign(key_.get(), Sha256(message));
    if (quick.empty()) return OpenSslError(absl::StatusCode::kInternal, "signing");
    return quick;
  }
  const EvpMdCtxPtr context(EVP_MD_CTX_new());
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
  std::size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "signing");
  }
  signature.resize(size);
  return signature;
}

}  // namespace devicetrust::pki
