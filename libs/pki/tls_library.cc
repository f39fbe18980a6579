#include "libs/pki/tls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/pki/openssl.h"
#include "libs/pki/tls_key_schedule.h"
#include "libs/pki/tls_x25519.h"

namespace devicetrust::pki {
namespace {

constexpr const char* kName = "devicetrust-tls";

// Whether `algorithm` goes by one of `names`: "EC:id-ecPublicKey:1.2.840.10045.2.1" by "EC".
bool IsOneOf(const OSSL_ALGORITHM& algorithm, std::initializer_list<std::string_view> names) {
  const std::string_view all = algorithm.algorithm_names;
  return std::ranges::find(names, all.substr(0, all.find(':'))) != names.end();
}

// A certificate holds its key as a SubjectPublicKeyInfo in DER.
bool ReadsCertificateKeys(const OSSL_ALGORITHM& decoder) {
  const std::string_view properties = decoder.property_definition;
  return properties.find("input=der") != std::string_view::npos &&
         properties.find("structure=SubjectPublicKeyInfo") != std::string_view::npos &&
         IsOneOf(decoder, {"EC", "RSA", "RSA-PSS", "ED25519"});
}

bool IsOffered(int operation, const OSSL_ALGORITHM& algorithm) {
  switch (operation) {
    case OSSL_OP_DIGEST:
      return IsOneOf(algorithm, {"SHA1", "SHA2-256", "SHA2-384", "SHA2-512"});
    case OSSL_OP_CIPHER:
      return IsOneOf(algorithm, {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"});
    case OSSL_OP_MAC:
      return IsOneOf(algorithm, {"HMAC"});
    case OSSL_OP_KDF:
      return IsOneOf(algorithm, {"TLS13-KDF", "TLS1-PRF"});
    case OSSL_OP_KEYMGMT:  // HMAC: TLS 1.3 keys its Finished messages by one.
      return IsOneOf(algorithm, {"EC", "X25519", "RSA", "RSA-PSS", "ED25519", "HMAC"});
    case OSSL_OP_KEYEXCH:
      return IsOneOf(algorithm, {"ECDH", "X25519"});
    case OSSL_OP_SIGNATURE:
      return IsOneOf(algorithm, {"ECDSA", "RSA", "ED25519", "HMAC"});
    case OSSL_OP_RAND:
      return IsOneOf(algorithm, {"CTR-DRBG", "SEED-SRC"});
    case OSSL_OP_DECODER:
      return ReadsCertificateKeys(algorithm);
    default:
      return false;
  }
}

// `algorithm` as it is offered: with functions of our own where they are quicker.
OSSL_ALGORITHM AsOffered(int operation, OSSL_ALGORITHM algorithm) {
  if (operation == OSSL_OP_KDF && IsOneOf(algorithm, {"TLS13-KDF"})) {
    algorithm.implementation = Tls13KdfFunctions();
  } else if (operation == OSSL_OP_MAC) {
    algorithm.implementation = HmacFunctions();
  }
  return algorithm;
}

constexpr std::array kOperations = {OSSL_OP_DIGEST,    OSSL_OP_CIPHER,  OSSL_OP_MAC,
                                    OSSL_OP_KDF,       OSSL_OP_KEYMGMT, OSSL_OP_KEYEXCH,
                                    OSSL_OP_SIGNATURE, OSSL_OP_RAND,    OSSL_OP_DECODER};

// The algorithms that are offered run with the default provider's context: they are its own.
struct Offer {
  OSSL_PROVIDER* provider = nullptr;
  // By operation, each ended by an entry without names, as OpenSSL wants it.
  std::array<std::vector<OSSL_ALGORITHM>, kOperations.size()> algorithms;

  // X25519 as a KEM, ended in the same way; empty when it cannot be made.
  std::vector<OSSL_ALGORITHM> kems;

  static const Offer& Get() {
    static const Offer offer;
    return offer;
  }

 private:
  Offer() : provider(OSSL_PROVIDER_try_load(nullptr, "default", /*retain_fallbacks=*/1)) {
    if (provider == nullptr) return;
    for (std::size_t i = 0; i < kOperations.size(); ++i) {
      int no_cache = 0;
      const OSSL_ALGORITHM* algorithm =
          OSSL_PROVIDER_query_operation(provider, kOperations[i], &no_cache);
      for (; algorithm != nullptr && algorithm->algorithm_names != nullptr; ++algorithm) {
        if (!IsOffered(kOperations[i], *algorithm)) continue;
        algorithms[i].push_back(AsOffered(kOperations[i], *algorithm));
      }
      algorithms[i].push_back({});
    }
    const OSSL_ALGORITHM* keys = Find(OSSL_OP_KEYMGMT, "X25519");
    const OSSL_ALGORITHM* exchange = Find(OSSL_OP_KEYEXCH, "X25519");
    if (keys == nullptr || exchange == nullptr) return;
    const OSSL_DISPATCH* functions =
        X25519KemFunctions(keys->implementation, exchange->implementation);
    if (functions == nullptr) return;
    kems = {{"X25519", "provider=devicetrust-tls", functions, nullptr}, {}};
  }

  const OSSL_ALGORITHM* Find(int operation, std::string_view name) const {
    const auto* const at = std::ranges::find(kOperations, operation);
    for (const OSSL_ALGORITHM& algorithm :
         algorithms[static_cast<std::size_t>(at - kOperations.begin())]) {
      if (algorithm.algorithm_names != nullptr && IsOneOf(algorithm, {name})) return &algorithm;
    }
    return nullptr;
  }
};

const OSSL_ALGORITHM* Query(void* /*context*/, int operation, int* no_cache) noexcept {
  *no_cache = 0;
  if (operation == OSSL_OP_KEM && !Offer::Get().kems.empty()) return Offer::Get().kems.data();
  const auto* const found = std::ranges::find(kOperations, operation);
  if (found == kOperations.end()) return nullptr;
  return Offer::Get().algorithms[static_cast<std::size_t>(found - kOperations.begin())].data();
}

// A group of TLS on its way to libssl.
struct Group {
  OSSL_CALLBACK* take;
  void* argument;
};

// X25519 as a KEM, which libssl uses in TLS 1.3, while TLS 1.2 exchanges keys of it; other groups
// as they are.
int Describe(const OSSL_PARAM params[], void* argument) noexcept {
  constexpr std::size_t kParamsMax = 16;
  const Group& group = *static_cast<Group*>(argument);
  const OSSL_PARAM* name = OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_NAME);
  const bool x25519 = name != nullptr && name->data_type == OSSL_PARAM_UTF8_STRING &&
                      static_cast<const char*>(name->data) == std::string_view("x25519");
  if (!x25519 || Offer::Get().kems.empty()) return group.take(params, group.argument);
  unsigned int is_kem = 1;
  std::array<OSSL_PARAM, kParamsMax> changed;
  std::size_t size = 0;
  for (const OSSL_PARAM* param = params; param->key != nullptr; ++param) {
    if (size + 2 > changed.size()) return 0;
    if (param->key == std::string_view(OSSL_CAPABILITY_TLS_GROUP_IS_KEM)) continue;
    changed[size++] = *param;
  }
  if (size + 2 > changed.size()) return 0;
  changed[size++] = OSSL_PARAM_construct_uint(OSSL_CAPABILITY_TLS_GROUP_IS_KEM, &is_kem);
  changed[size] = OSSL_PARAM_construct_end();
  return group.take(changed.data(), group.argument);
}

// Which groups of TLS there are; libssl leaves out those whose algorithm is not offered.
int Capabilities(void* /*context*/, const char* what, OSSL_CALLBACK* take,
                 void* argument) noexcept {
  Group group{take, argument};
  return OSSL_PROVIDER_get_capabilities(Offer::Get().provider, what, &Describe, &group);
}

using Function = void (*)();  // What OpenSSL casts each entry of a table from.

int Start(const OSSL_CORE_HANDLE* /*core*/, const OSSL_DISPATCH* /*services*/,
          const OSSL_DISPATCH** functions, void** context) noexcept {
  static const std::array<OSSL_DISPATCH, 3> table = {
      {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<Function>(&Query)},
       {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, reinterpret_cast<Function>(&Capabilities)},
       {0, nullptr}}};
  if (Offer::Get().provider == nullptr) return 0;
  *functions = table.data();
  *context = OSSL_PROVIDER_get0_provider_ctx(Offer::Get().provider);
  return 1;
}

OSSL_LIB_CTX* Make() {
  OSSL_LIB_CTX* const library = OSSL_LIB_CTX_new();
  if (library != nullptr && OSSL_PROVIDER_add_builtin(library, kName, &Start) == 1 &&
      OSSL_PROVIDER_load(library, kName) != nullptr) {
    return library;
  }
  ClearErrors();
  OSSL_LIB_CTX_free(library);
  return nullptr;
}

}  // namespace

OSSL_LIB_CTX* TlsLibrary() {
  static OSSL_LIB_CTX* const library = Make();
  return library;
}

}  // namespace devicetrust::pki
