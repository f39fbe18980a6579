// EC_KEY is what the fast way goes through; OpenSSL 3 calls it deprecated and keeps it.
// Not part of a unity build: the macro has to come before OpenSSL's first header.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libs/pki/p256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "libs/base/check.h"

namespace devicetrust::pki {
namespace {

using EcKeyPtr = Owned<EC_KEY, &EC_KEY_free>;

// SubjectPublicKeyInfo of id-ecPublicKey on prime256v1, up to the point's octets.
constexpr std::array<std::uint8_t, 26> kSpkiPrefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

// Made once, for the life of the process: constant, so shared without a lock.
const EC_GROUP* P256Group() {
  static const EC_GROUP* const group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  DT_CHECK(group != nullptr);
  return group;
}

}  // namespace

std::optional<std::span<const std::uint8_t>> P256PointOfSpki(std::span<const std::uint8_t> der) {
  if (der.size() != kSpkiPrefix.size() + kP256PointBytes) return std::nullopt;
  if (!std::ranges::equal(der.first(kSpkiPrefix.size()), kSpkiPrefix)) return std::nullopt;
  return der.subspan(kSpkiPrefix.size());
}

EvpPkeyPtr P256FromPoint(std::span<const std::uint8_t> point) {
  if (point.size() != kP256PointBytes || point[0] != POINT_CONVERSION_UNCOMPRESSED) return nullptr;
  EcKeyPtr ec(EC_KEY_new());
  EvpPkeyPtr key(EVP_PKEY_new());
  // Taking the octets checks that they are a point of the curve.
  if (ec == nullptr || key == nullptr || EC_KEY_set_group(ec.get(), P256Group()) != 1 ||
      EC_KEY_oct2key(ec.get(), point.data(), point.size(), nullptr) != 1 ||
      EVP_PKEY_assign_EC_KEY(key.get(), ec.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  static_cast<void>(ec.release());  // Owned by `key`.
  return key;
}

EvpPkeyPtr ForWriting(EVP_PKEY* key) {
  std::array<char, 32> group{};
  std::array<std::uint8_t, kP256PointBytes> point{};
  std::size_t size = 0;
  const bool p256 = EVP_PKEY_is_a(key, "EC") == 1 &&
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

}  // namespace devicetrust::pki
