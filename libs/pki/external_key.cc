// OpenSSL 3 calls EC_KEY_METHOD deprecated and keeps it. A provider would be its successor; the
// one for TPMs in Debian 12 takes NIST curves from the hello and needs a resource manager.
// In no batch (see ALONE): the macro has to come before OpenSSL's first header.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libs/pki/external_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>

#include <algorithm>
#include <string>
#include <utility>

#include "libs/base/check.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"

namespace devicetrust::pki {
namespace {

using EcdsaSigPtr = Owned<ECDSA_SIG, &ECDSA_SIG_free>;
using EcKeyPtr = Owned<EC_KEY, &EC_KEY_free>;
using Keeper = std::shared_ptr<const ExternalKey>;

std::size_t FieldBytes(KeyType type) { return type == KeyType::kP384 ? 48 : 32; }

absl::StatusOr<EcdsaSigPtr> Ask(const ExternalKey& key, std::span<const std::uint8_t> digest) {
  const std::size_t field = FieldBytes(key.public_key().type());
  DT_ASSIGN_OR_RETURN(const Bytes raw,
                      key.SignDigest(digest.first(std::min(digest.size(), field))));
  if (raw.size() != 2 * field) {
    return absl::InternalError("the key's keeper answered with no signature of its curve");
  }
  EcdsaSigPtr signature(ECDSA_SIG_new());
  BignumPtr r(BN_bin2bn(raw.data(), static_cast<int>(field), nullptr));
  BignumPtr s(BN_bin2bn(raw.data() + field, static_cast<int>(field), nullptr));
  if (signature == nullptr || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "ECDSA signature");
  }
  static_cast<void>(r.release());  // Now owned by `signature`.
  static_cast<void>(s.release());
  return signature;
}

void FreeKeeper(void* /*parent*/, void* keeper, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                long /*argl*/, void* /*argp*/) noexcept {
  delete static_cast<Keeper*>(keeper);
}

int CopyKeeper(CRYPTO_EX_DATA* /*to*/, const CRYPTO_EX_DATA* /*from*/, void** keeper, int /*index*/,
               long /*argl*/, void* /*argp*/) noexcept {
  if (*keeper != nullptr) *keeper = new Keeper(*static_cast<const Keeper*>(*keeper));
  return 1;
}

int KeeperIndex() {
  static const int index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EC_KEY, 0, nullptr, nullptr,
                                                   &CopyKeeper, &FreeKeeper);
  return index;
}

// What OpenSSL calls instead of its own arithmetic, in a handshake or for a list.
ECDSA_SIG* SignHook(const unsigned char* digest, int size, const BIGNUM* /*inverse*/,
                    const BIGNUM* /*r*/, EC_KEY* ec) noexcept {
  const auto* keeper = static_cast<const Keeper*>(EC_KEY_get_ex_data(ec, KeeperIndex()));
  auto signature = Ask(**keeper, std::span(digest, static_cast<std::size_t>(size)));
  if (signature.ok()) return signature->release();
  const std::string text(signature.status().message());
  ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s", text.c_str());
  return nullptr;
}

// Made once, for the life of the process.
const EC_KEY_METHOD* Method() {
  static const EC_KEY_METHOD* const method = [] {
    EC_KEY_METHOD* made = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    DT_CHECK(made != nullptr);
    int (*sign)(int, const unsigned char*, int, unsigned char*, unsigned int*, const BIGNUM*,
                const BIGNUM*, EC_KEY*) = nullptr;
    EC_KEY_METHOD_get_sign(made, &sign, nullptr, nullptr);
    EC_KEY_METHOD_set_sign(made, sign, nullptr, &SignHook);
    return made;
  }();
  return method;
}

}  // namespace

absl::StatusOr<Signer> SignerFor(std::shared_ptr<const ExternalKey> key) {
  const PublicKey known = key->public_key();
  if (known.type() == KeyType::kRsa2048) {
    return absl::InvalidArgumentError("a key outside of this process must be P-256 or P-384");
  }
  const Bytes spki = known.Spki();
  auto parts = std::span<const std::uint8_t>(spki);
  const std::size_t point = 1 + 2 * FieldBytes(known.type());  // The last octets: uncompressed.
  EcKeyPtr ec(EC_KEY_new_by_curve_name(known.type() == KeyType::kP384 ? NID_secp384r1
                                                                      : NID_X9_62_prime256v1));
  auto keeper = std::make_unique<Keeper>(std::move(key));
  EvpPkeyPtr made(EVP_PKEY_new());
  if (ec == nullptr || made == nullptr || EC_KEY_set_method(ec.get(), Method()) != 1 ||
      parts.size() < point ||
      EC_KEY_oct2key(ec.get(), parts.last(point).data(), point, nullptr) != 1 ||
      EC_KEY_set_ex_data(ec.get(), KeeperIndex(), keeper.get()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "a key outside of this process");
  }
  static_cast<void>(keeper.release());  // Freed with `ec`.
  if (EVP_PKEY_assign_EC_KEY(made.get(), ec.get()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "a key outside of this process");
  }
  static_cast<void>(ec.release());  // Owned by `made`.
  return Signer(std::shared_ptr<EVP_PKEY>(std::move(made)));
}

const ExternalKey* ExternalKeyOf(const evp_pkey_st* key) {
  // A key of a provider would be copied out of it to be looked at.
  if (EVP_PKEY_get0_provider(key) != nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) {
    return nullptr;
  }
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);  // Borrowed.
  if (ec == nullptr || EC_KEY_get_method(ec) != Method()) return nullptr;
  return static_cast<const Keeper*>(EC_KEY_get_ex_data(ec, KeeperIndex()))->get();
}

absl::StatusOr<Bytes> SignExternally(const ExternalKey& key, std::span<const std::uint8_t> digest) {
  DT_ASSIGN_OR_RETURN(const EcdsaSigPtr signature, Ask(key, digest));
  return ToDer(signature.get(), &i2d_ECDSA_SIG);
}

}  // namespace devicetrust::pki
