// ENGINE and EC_KEY are what the short way goes through; OpenSSL 3 calls them deprecated and keeps
// them. In no batch (see ALONE): the macro has to come before OpenSSL's first header.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libs/pki/quick_ec.h"

#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <span>

#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

using EnginePtr = Owned<ENGINE, &ENGINE_free>;

struct Hash {
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets;
  unsigned int size = 0;  // 0: none.
};

Hash HashFor(EVP_MD_CTX* context, std::span<const unsigned char> data) {
  Hash hash;
  const EVP_MD* digest = nullptr;
  if (EVP_PKEY_CTX_get_signature_md(EVP_MD_CTX_get_pkey_ctx(context), &digest) <= 0) return hash;
  if (digest == nullptr) return hash;
  if (EVP_MD_get_type(digest) == NID_sha256) digest = DigestOf(HashType::kSha256);  // Fetched.
  if (EVP_Digest(data.data(), data.size(), hash.octets.data(), &hash.size, digest, nullptr) != 1) {
    hash.size = 0;
  }
  return hash;
}

EC_KEY* KeyOf(EVP_MD_CTX* context) {
  EVP_PKEY* key = EVP_PKEY_CTX_get0_pkey(EVP_MD_CTX_get_pkey_ctx(context));  // Borrowed.
  // OpenSSL's functions take it as not const, and do not change it.
  return const_cast<EC_KEY*>(EVP_PKEY_get0_EC_KEY(key));
}

// EVP_DigestSign() of all octets at once. Who brings them in parts gets OpenSSL's own way.
int Sign(EVP_MD_CTX* context, unsigned char* signature, std::size_t* size,
         const unsigned char* data, std::size_t data_size) noexcept {
  EC_KEY* key = KeyOf(context);
  if (key == nullptr) return 0;
  const auto size_max = static_cast<std::size_t>(ECDSA_size(key));
  if (signature == nullptr) {
    *size = size_max;
    return 1;
  }
  const Hash hash = HashFor(context, {data, data_size});
  unsigned int written = 0;
  if (*size < size_max || hash.size == 0 ||
      ECDSA_sign(0, hash.octets.data(), static_cast<int>(hash.size), signature, &written, key) !=
          1) {
    return 0;
  }
  *size = written;
  return 1;
}

int Verify(EVP_MD_CTX* context, const unsigned char* signature, std::size_t size,
           const unsigned char* data, std::size_t data_size) noexcept {
  constexpr std::size_t kSignatureBytesMax = 1024;  // Of any curve.
  EC_KEY* key = KeyOf(context);
  const Hash hash = HashFor(context, {data, data_size});
  if (key == nullptr || hash.size == 0 || size > kSignatureBytesMax) return 0;
  return ECDSA_verify(0, hash.octets.data(), static_cast<int>(hash.size), signature,
                      static_cast<int>(size), key);
}

// Lives as long as the process. Null when it cannot be made.
EVP_PKEY_METHOD* Method() {
  static EVP_PKEY_METHOD* const method = [] {
    const EVP_PKEY_METHOD* usual = EVP_PKEY_meth_find(EVP_PKEY_EC);
    EVP_PKEY_METHOD* made = usual == nullptr ? nullptr : EVP_PKEY_meth_new(EVP_PKEY_EC, 0);
    if (made == nullptr) return made;
    EVP_PKEY_meth_copy(made, usual);
    EVP_PKEY_meth_set_digestsign(made, &Sign);
    EVP_PKEY_meth_set_digestverify(made, &Verify);
    return made;
  }();
  return method;
}

int Offer(ENGINE* /*engine*/, EVP_PKEY_METHOD** method, const int** kinds, int kind) noexcept {
  static constexpr int kKinds[] = {EVP_PKEY_EC};
  if (method == nullptr) {
    *kinds = kKinds;
    return 1;
  }
  *method = kind == EVP_PKEY_EC ? Method() : nullptr;
  return *method != nullptr ? 1 : 0;
}

bool Register() {
  // As TLS calls it; else its name is looked for among all for each signature.
  EVP_add_digest_alias(SN_sha256, "SHA2-256");
  EVP_add_digest_alias(SN_sha384, "SHA2-384");
  const EnginePtr engine(ENGINE_new());
  const bool registered = engine != nullptr && Method() != nullptr &&
                          ENGINE_set_id(engine.get(), "devicetrust-ec") == 1 &&
                          ENGINE_set_name(engine.get(), "EC keys without a provider") == 1 &&
                          ENGINE_set_pkey_meths(engine.get(), &Offer) == 1 &&
                          ENGINE_add(engine.get()) == 1 &&
                          ENGINE_register_pkey_meths(engine.get()) == 1;
  ClearErrors();
  return registered;
}

}  // namespace

bool UseQuickEcKeys() {
  static const bool registered = Register();
  return registered;
}

}  // namespace devicetrust::pki
