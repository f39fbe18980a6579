// EC_KEY is what the fast way goes through; OpenSSL 3 calls it deprecated and keeps it.
// In no batch (see ALONE): the macro has to come before OpenSSL's first header.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libs/pki/p256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "libs/base/check.h"

namespace devicetrust::pki {
namespace {

using EcKeyPtr = Owned<EC_KEY, &EC_KEY_free>;
using BnCtxPtr = Owned<BN_CTX, &BN_CTX_free>;
using EcdsaSigPtr = Owned<ECDSA_SIG, &ECDSA_SIG_free>;
using EcGroupPtr = Owned<EC_GROUP, &EC_GROUP_free>;
using EcPointPtr = Owned<EC_POINT, &EC_POINT_free>;

// SubjectPublicKeyInfo of id-ecPublicKey on prime256v1, up to the point's octets.
constexpr std::array<std::uint8_t, 26> kSpkiPrefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

// A PrivateKeyInfo (RFC 5208) with the ECPrivateKey (RFC 5915) of such a key: up to the
// scalar's 32 octets, and from there to the point's.
constexpr std::array<std::uint8_t, 36> kPkcs8Prefix = {
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
constexpr std::array<std::uint8_t, 5> kPkcs8Middle = {0xa1, 0x44, 0x03, 0x42, 0x00};
constexpr std::size_t kScalarBytes = 32;

// Made once, for the life of the process: constant, so shared without a lock.
const EC_GROUP* P256Group() {
  static const EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  DT_CHECK(group != nullptr);
  return group;
}

EcKeyPtr NewEcKey() {
  EcKeyPtr ec(EC_KEY_new());
  if (ec != nullptr && EC_KEY_set_group(ec.get(), P256Group()) != 1) ec.reset();
  return ec;
}

// Null, and no error left behind, when `ec` is null.
EvpPkeyPtr Wrap(EcKeyPtr ec) {
  EvpPkeyPtr key(EVP_PKEY_new());
  if (ec == nullptr || key == nullptr || EVP_PKEY_assign_EC_KEY(key.get(), ec.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  static_cast<void>(ec.release());  // Owned by `key`.
  return key;
}

// Taking the octets checks that they are a point of the curve.
bool SetPoint(EC_KEY* ec, std::span<const std::uint8_t> point) {
  return point.size() == kP256PointBytes && point[0] == POINT_CONVERSION_UNCOMPRESSED &&
         EC_KEY_oct2key(ec, point.data(), point.size(), nullptr) == 1;
}

// Generation leaves the point in projective coordinates, from which each writing of it would
// have to divide again.
bool MakeAffine(EC_KEY* ec) {
  const EcPointPtr point(EC_POINT_dup(EC_KEY_get0_public_key(ec), P256Group()));
  return point != nullptr && EC_POINT_make_affine(P256Group(), point.get(), nullptr) == 1 &&
         EC_KEY_set_public_key(ec, point.get()) == 1;
}

}  // namespace

std::optional<std::span<const std::uint8_t>> P256PointOfSpki(std::span<const std::uint8_t> der) {
  if (der.size() != kSpkiPrefix.size() + kP256PointBytes) return std::nullopt;
  if (!std::ranges::equal(der.first(kSpkiPrefix.size()), kSpkiPrefix)) return std::nullopt;
  return der.subspan(kSpkiPrefix.size());
}

EvpPkeyPtr P256FromPoint(std::span<const std::uint8_t> point) {
  EcKeyPtr ec = NewEcKey();
  if (ec != nullptr && !SetPoint(ec.get(), point)) ec.reset();
  return Wrap(std::move(ec));
}

EvpPkeyPtr P256FromPkcs8(std::span<const std::uint8_t> der) {
  constexpr std::size_t kMiddleAt = kPkcs8Prefix.size() + kScalarBytes;
  constexpr std::size_t kPointAt = kMiddleAt + kPkcs8Middle.size();
  const bool usual = der.size() == kPointAt + kP256PointBytes &&
                     std::ranges::equal(der.first(kPkcs8Prefix.size()), kPkcs8Prefix) &&
                     std::ranges::equal(der.subspan(kMiddleAt, kPkcs8Middle.size()), kPkcs8Middle);
  if (!usual) return nullptr;
  const std::span<const std::uint8_t> scalar = der.subspan(kPkcs8Prefix.size(), kScalarBytes);
  EcKeyPtr ec = NewEcKey();
  const bool set = ec != nullptr && EC_KEY_oct2priv(ec.get(), scalar.data(), scalar.size()) == 1 &&
                   SetPoint(ec.get(), der.subspan(kPointAt));
  if (!set) ec.reset();
  return Wrap(std::move(ec));
}

EvpPkeyPtr P256Generate() {
  EcKeyPtr ec = NewEcKey();
  const bool made = ec != nullptr && EC_KEY_generate_key(ec.get()) == 1 && MakeAffine(ec.get());
  if (!made) return nullptr;  // With OpenSSL's reason.
  return Wrap(std::move(ec));
}

EvpPkeyPtr ForWriting(EVP_PKEY* key) {
  std::array<char, 32> group{};
  std::array<std::uint8_t, kP256PointBytes> point{};
  std::size_t size = 0;
  const bool p256 = !IsShortP256(key) && EVP_PKEY_is_a(key, "EC") == 1 &&
                    EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
                    std::string_view(group.data()) == SN_X9_62_prime256v1 &&
                    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                                    point.size(), &size) == 1;
  if (p256) {
    if (EvpPkeyPtr fast = P256FromPoint(std::span(point).first(size))) return fast;
  }
  ERR_clear_error();
  EVP_PKEY_up_ref(key);
  return EvpPkeyPtr(key);
}

bool IsShortP256(const EVP_PKEY* key) {
  // A key of a provider would be copied out of it to be looked at.
  if (EVP_PKEY_get0_provider(key) != nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
    return false;
  }
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);  // Borrowed.
  return ec != nullptr && EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) == NID_X9_62_prime256v1;
}

std::array<std::uint8_t, kP256PointBytes> P256PointOf(const EVP_PKEY* key) {
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);  // Borrowed.
  std::array<std::uint8_t, kP256PointBytes> point{};
  const std::size_t size =
      EC_POINT_point2oct(EC_KEY_get0_group(ec), EC_KEY_get0_public_key(ec),
                         POINT_CONVERSION_UNCOMPRESSED, point.data(), point.size(), nullptr);
  DT_CHECK(size == point.size());
  return point;
}

Bytes P256Sign(const EVP_PKEY* key, const Sha256Digest& digest) {
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);  // Borrowed.
  Bytes signature(static_cast<std::size_t>(ECDSA_size(ec)));
  unsigned int size = 0;
  // OpenSSL takes the key as not const, and does not change it.
  const int signed_it = ECDSA_sign(0, digest.data(), static_cast<int>(digest.size()),
                                   signature.data(), &size, const_cast<EC_KEY*>(ec));
  signature.resize(signed_it == 1 ? size : 0);
  return signature;
}

bool P256Verify(const EVP_PKEY* key, std::span<const std::uint8_t> digest,
                std::span<const std::uint8_t> signature) {
  if (signature.size() > 2 * kP256PointBytes) return false;  // No signature is as long.
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);              // Borrowed.
  ERR_set_mark();
  const int good = ECDSA_verify(0, digest.data(), static_cast<int>(digest.size()), signature.data(),
                                static_cast<int>(signature.size()), const_cast<EC_KEY*>(ec));
  ERR_pop_to_mark();
  return good == 1;
}

struct P256Table::State {
  // The curve with the key's point as its generator.
  EcGroupPtr key_group;
};

P256Table::P256Table(std::unique_ptr<const State> state) : state_(std::move(state)) {}
P256Table::~P256Table() = default;

std::unique_ptr<const P256Table> P256Table::For(const EVP_PKEY* key) {
  if (!IsShortP256(key)) return nullptr;
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);  // Borrowed.
  auto state = std::make_unique<State>();
  state->key_group.reset(EC_GROUP_dup(P256Group()));
  EC_GROUP* group = state->key_group.get();
  const bool made =
      group != nullptr &&
      EC_GROUP_set_generator(group, EC_KEY_get0_public_key(ec), EC_GROUP_get0_order(P256Group()),
                             EC_GROUP_get0_cofactor(P256Group())) == 1 &&
      EC_GROUP_precompute_mult(group, nullptr) == 1 && EC_GROUP_have_precompute_mult(group) == 1;
  ERR_clear_error();
  if (!made) return nullptr;
  return std::unique_ptr<const P256Table>(new P256Table(std::move(state)));
}

namespace {

// SEC 1, section 4.1.4, from its step 3 on; r and s are in their range.
bool Satisfies(const EC_GROUP* key_group, std::span<const std::uint8_t> digest, const BIGNUM* r,
               const BIGNUM* s) {
  const BnCtxPtr numbers(BN_CTX_new());
  BN_CTX* scratch = numbers.get();
  if (scratch == nullptr) return false;
  BN_CTX_start(scratch);
  const BIGNUM* order = EC_GROUP_get0_order(P256Group());
  BIGNUM* inverse = BN_CTX_get(scratch);
  BIGNUM* hash = BN_CTX_get(scratch);
  BIGNUM* of_generator = BN_CTX_get(scratch);
  BIGNUM* of_key = BN_CTX_get(scratch);
  BIGNUM* x = BN_CTX_get(scratch);  // Null when one before is.
  const EcPointPtr sum(EC_POINT_new(P256Group()));
  const EcPointPtr part(EC_POINT_new(key_group));
  const std::size_t hash_size = std::min(digest.size(), kScalarBytes);  // Its leftmost bits.
  const bool satisfies =
      x != nullptr && sum != nullptr && part != nullptr &&
      BN_bin2bn(digest.data(), static_cast<int>(hash_size), hash) != nullptr &&
      BN_mod_inverse(inverse, s, order, scratch) != nullptr &&
      BN_mod_mul(of_generator, hash, inverse, order, scratch) == 1 &&
      BN_mod_mul(of_key, r, inverse, order, scratch) == 1 &&
      EC_POINT_mul(P256Group(), sum.get(), of_generator, nullptr, nullptr, scratch) == 1 &&
      EC_POINT_mul(key_group, part.get(), of_key, nullptr, nullptr, scratch) == 1 &&
      EC_POINT_add(P256Group(), sum.get(), sum.get(), part.get(), scratch) == 1 &&
      EC_POINT_is_at_infinity(P256Group(), sum.get()) == 0 &&
      EC_POINT_get_affine_coordinates(P256Group(), sum.get(), x, nullptr, scratch) == 1 &&
      BN_nnmod(x, x, order, scratch) == 1 && BN_cmp(x, r) == 0;
  BN_CTX_end(scratch);
  return satisfies;
}

bool InRange(const BIGNUM* number) {
  return !BN_is_zero(number) && !BN_is_negative(number) &&
         BN_ucmp(number, EC_GROUP_get0_order(P256Group())) < 0;
}

}  // namespace

bool P256Table::Verify(std::span<const std::uint8_t> digest,
                       std::span<const std::uint8_t> signature) const {
  if (signature.size() > 2 * kP256PointBytes) return false;  // No signature is as long.
  ERR_set_mark();
  const auto parts = FromDer<EcdsaSigPtr>(signature, &d2i_ECDSA_SIG);
  // OpenSSL reads BER too.
  const bool good =
      parts != nullptr && std::ranges::equal(ToDer(parts.get(), &i2d_ECDSA_SIG), signature) &&
      InRange(ECDSA_SIG_get0_r(parts.get())) && InRange(ECDSA_SIG_get0_s(parts.get())) &&
      Satisfies(state_->key_group.get(), digest, ECDSA_SIG_get0_r(parts.get()),
                ECDSA_SIG_get0_s(parts.get()));
  ERR_pop_to_mark();
  return good;
}

}  // namespace devicetrust::pki
