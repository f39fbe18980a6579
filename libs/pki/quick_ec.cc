// ENGINE and EC_KEY are what the short way goes through; OpenSSL 3 calls them deprecated and keeps
// them. In no batch (see ALONE): the macro has to come before OpenSSL's first header.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libs/pki/quick_ec.h"

#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <cstddef>
#include <span>

#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

using Asn1StringPtr = Owned<ASN1_STRING, &ASN1_STRING_free>;
using EcKeyPtr = Owned<EC_KEY, &EC_KEY_free>;
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

// A key without its point, on the curve that a SubjectPublicKeyInfo names (RFC 5480, section
// 2.1.1) or writes out. P-256, of which a process reads most, is copied: making it costs 9 us.
EcKeyPtr OnCurve(int type, const void* value) {
  static const EC_GROUP* const p256 = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (type == V_ASN1_SEQUENCE) {
    const auto* text = static_cast<const ASN1_STRING*>(value);
    const unsigned char* cursor = ASN1_STRING_get0_data(text);
    return EcKeyPtr(d2i_ECParameters(nullptr, &cursor, ASN1_STRING_length(text)));
  }
  if (type != V_ASN1_OBJECT) return nullptr;
  const int curve = OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(value));
  if (curve != NID_X9_62_prime256v1 || p256 == nullptr) {
    return EcKeyPtr(EC_KEY_new_by_curve_name(curve));
  }
  EcKeyPtr key(EC_KEY_new());
  if (key != nullptr && EC_KEY_set_group(key.get(), p256) != 1) key.reset();
  return key;
}

int Decode(EVP_PKEY* into, const X509_PUBKEY* from) noexcept {
  const unsigned char* point = nullptr;
  int size = 0;
  X509_ALGOR* algorithm = nullptr;
  int type = 0;
  const void* value = nullptr;
  if (X509_PUBKEY_get0_param(nullptr, &point, &size, &algorithm, from) != 1) return 0;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  EcKeyPtr key = OnCurve(type, value);
  // Taking the point checks that it is on the curve.
  if (key == nullptr || size <= 0 ||
      EC_KEY_oct2key(key.get(), point, static_cast<std::size_t>(size), nullptr) != 1 ||
      EVP_PKEY_assign_EC_KEY(into, key.get()) != 1) {
    return 0;
  }
  static_cast<void>(key.release());  // Owned by `into`.
  return 1;
}

// The reverse, as OpenSSL writes it: by the curve's name where it has one and is to be named so.
int Encode(X509_PUBKEY* into, const EVP_PKEY* from) noexcept {
  const EC_KEY* key = EVP_PKEY_get0_EC_KEY(from);  // Borrowed.
  if (key == nullptr || EC_KEY_get0_public_key(key) == nullptr) return 0;
  const EC_GROUP* group = EC_KEY_get0_group(key);
  ASN1_OBJECT* name = nullptr;
  if (EC_GROUP_get_asn1_flag(group) == OPENSSL_EC_NAMED_CURVE) {
    name = OBJ_nid2obj(EC_GROUP_get_curve_name(group));
  }
  Asn1StringPtr written;
  if (name == nullptr || OBJ_length(name) == 0) {
    name = nullptr;
    const Bytes parameters = ToDer(const_cast<EC_KEY*>(key), &i2d_ECParameters);
    written.reset(ASN1_STRING_new());
    if (parameters.empty() || written == nullptr ||
        ASN1_STRING_set(written.get(), parameters.data(), static_cast<int>(parameters.size())) !=
            1) {
      return 0;
    }
  }
  unsigned char* point = nullptr;
  const int size = i2o_ECPublicKey(key, &point);
  BytesPtr owner(point);
  const bool named = name != nullptr;
  if (size <= 0 || X509_PUBKEY_set0_param(
                       into, OBJ_nid2obj(EVP_PKEY_EC), named ? V_ASN1_OBJECT : V_ASN1_SEQUENCE,
                       named ? static_cast<void*>(name) : written.get(), point, size) != 1) {
    return 0;
  }
  static_cast<void>(owner.release());  // Both owned by `into`.
  static_cast<void>(written.release());
  return 1;
}

// 1: the same, 0: another, -2: of another kind, as EVP_PKEY_eq() wants it.
int Compare(const EVP_PKEY* a, const EVP_PKEY* b) noexcept {
  const EC_KEY* one = EVP_PKEY_get0_EC_KEY(a);
  const EC_KEY* other = EVP_PKEY_get0_EC_KEY(b);
  if (one == nullptr || other == nullptr) return -2;
  const EC_POINT* point = EC_KEY_get0_public_key(one);
  const EC_POINT* other_point = EC_KEY_get0_public_key(other);
  if (point == nullptr || other_point == nullptr) return -2;
  const int differ = EC_POINT_cmp(EC_KEY_get0_group(one), point, other_point, nullptr);
  return differ == 0 ? 1 : differ == 1 ? 0 : -2;
}

int SignatureBytes(const EVP_PKEY* key) noexcept { return ECDSA_size(EVP_PKEY_get0_EC_KEY(key)); }

int OrderBits(const EVP_PKEY* key) noexcept {
  return EC_GROUP_order_bits(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)));
}

// Lives as long as the process, as the next. Null when it cannot be made.
EVP_PKEY_ASN1_METHOD* KeyMethod() {
  static EVP_PKEY_ASN1_METHOD* const method = [] {
    const EVP_PKEY_ASN1_METHOD* usual = EVP_PKEY_asn1_find(nullptr, EVP_PKEY_EC);
    EVP_PKEY_ASN1_METHOD* made =
        usual == nullptr ? nullptr : EVP_PKEY_asn1_new(EVP_PKEY_EC, 0, "EC", "devicetrust");
    if (made == nullptr) return made;
    EVP_PKEY_asn1_copy(made, usual);
    EVP_PKEY_asn1_set_public(made, &Decode, &Encode, &Compare, nullptr, &SignatureBytes,
                             &OrderBits);
    return made;
  }();
  return method;
}

int OfferKeys(ENGINE* /*engine*/, EVP_PKEY_ASN1_METHOD** method, const int** kinds,
              int kind) noexcept {
  static constexpr int kKinds[] = {EVP_PKEY_EC};
  if (method == nullptr) {
    *kinds = kKinds;
    return 1;
  }
  *method = kind == EVP_PKEY_EC ? KeyMethod() : nullptr;
  return *method != nullptr ? 1 : 0;
}

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
  const bool registered =
      engine != nullptr && Method() != nullptr &&
      ENGINE_set_id(engine.get(), "devicetrust-ec") == 1 &&
      ENGINE_set_name(engine.get(), "EC keys without a provider") == 1 && KeyMethod() != nullptr &&
      ENGINE_set_pkey_meths(engine.get(), &Offer) == 1 &&
      ENGINE_set_pkey_asn1_meths(engine.get(), &OfferKeys) == 1 && ENGINE_add(engine.get()) == 1 &&
      ENGINE_register_pkey_meths(engine.get()) == 1 &&
      ENGINE_register_pkey_asn1_meths(engine.get()) == 1;
  ClearErrors();
  return registered;
}

}  // namespace

bool UseQuickEcKeys() {
  static const bool registered = Register();
  return registered;
}

}  // namespace devicetrust::pki
