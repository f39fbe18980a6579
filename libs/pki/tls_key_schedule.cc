// The hashes without EVP are what the short way goes through; OpenSSL 3 calls them deprecated and
// keeps them. In no batch (see ALONE): the macro has to come before OpenSSL's first header.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "libs/pki/tls_key_schedule.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <span>
#include <string_view>

namespace devicetrust::pki {
namespace {

using Octets = std::span<const std::uint8_t>;

struct Sha256Hash {
  using State = SHA256_CTX;
  static constexpr std::size_t kBytes = SHA256_DIGEST_LENGTH;
  static constexpr std::size_t kBlockBytes = SHA256_CBLOCK;
  static void Begin(State& state) { SHA256_Init(&state); }
  static void Add(State& state, Octets data) { SHA256_Update(&state, data.data(), data.size()); }
  static void End(State& state, std::uint8_t* out) { SHA256_Final(out, &state); }
};

struct Sha384Hash {
  using State = SHA512_CTX;
  static constexpr std::size_t kBytes = SHA384_DIGEST_LENGTH;
  static constexpr std::size_t kBlockBytes = SHA512_CBLOCK;
  static void Begin(State& state) { SHA384_Init(&state); }
  static void Add(State& state, Octets data) { SHA384_Update(&state, data.data(), data.size()); }
  static void End(State& state, std::uint8_t* out) { SHA384_Final(out, &state); }
};

enum class Hash { kSha256, kSha384 };

std::optional<Hash> HashNamed(std::string_view name) {
  if (name == "SHA2-256" || name == "SHA256" || name == "SHA-256") return Hash::kSha256;
  if (name == "SHA2-384" || name == "SHA384" || name == "SHA-384") return Hash::kSha384;
  return std::nullopt;
}

template <typename H>
class Hmac {
 public:
  explicit Hmac(Octets key) {
    std::array<std::uint8_t, H::kBlockBytes> block{};
    if (key.size() > block.size()) {
      H::Begin(inner_);
      H::Add(inner_, key);
      H::End(inner_, block.data());
    } else {
      std::ranges::copy(key, block.begin());
    }
    for (std::uint8_t& octet : block) octet ^= kInner;
    H::Begin(inner_);
    H::Add(inner_, block);
    for (std::uint8_t& octet : block) octet ^= kInner ^ kOuter;
    H::Begin(outer_);
    H::Add(outer_, block);
    OPENSSL_cleanse(block.data(), block.size());
  }
  ~Hmac() {
    OPENSSL_cleanse(&inner_, sizeof(inner_));
    OPENSSL_cleanse(&outer_, sizeof(outer_));
  }
  Hmac(const Hmac&) = default;
  Hmac& operator=(const Hmac&) = default;

  void Add(Octets data) { H::Add(inner_, data); }
  void End(std::uint8_t* out) {
    H::End(inner_, out);
    H::Add(outer_, {out, H::kBytes});
    H::End(outer_, out);
  }

 private:
  static constexpr std::uint8_t kInner = 0x36;
  static constexpr std::uint8_t kOuter = 0x5c;
  typename H::State inner_;
  typename H::State outer_;
};

// What one derivation is told.
struct Derivation {
  std::optional<int> mode;
  std::optional<Hash> hash;
  std::optional<Octets> key;
  std::optional<Octets> salt;
  Octets prefix;
  Octets label;
  Octets data;
};

// HKDF-Expand-Label (RFC 8446, section 7.1; RFC 5869, section 2.3).
template <typename H>
bool Expand(Octets secret, const Derivation& asked, Octets context, std::span<std::uint8_t> out) {
  constexpr std::size_t kLabelMax = 255;
  constexpr std::size_t kContextMax = 255;
  const std::size_t label_size = asked.prefix.size() + asked.label.size();
  if (label_size > kLabelMax || context.size() > kContextMax || out.size() > 255 * H::kBytes) {
    return false;
  }
  std::array<std::uint8_t, 2 + 1 + kLabelMax + 1 + kContextMax> info;
  auto end = info.begin();
  *end++ = static_cast<std::uint8_t>(out.size() >> 8);
  *end++ = static_cast<std::uint8_t>(out.size());
  *end++ = static_cast<std::uint8_t>(label_size);
  end = std::ranges::copy(asked.prefix, end).out;
  end = std::ranges::copy(asked.label, end).out;
  *end++ = static_cast<std::uint8_t>(context.size());
  end = std::ranges::copy(context, end).out;

  const Hmac<H> keyed(secret);
  std::array<std::uint8_t, H::kBytes> block;
  for (std::uint8_t counter = 1; !out.empty(); ++counter) {
    Hmac<H> hmac = keyed;
    if (counter > 1) hmac.Add(block);
    hmac.Add({info.begin(), end});
    hmac.Add({&counter, 1});
    hmac.End(block.data());
    const std::size_t taken = std::min(block.size(), out.size());
    std::copy_n(block.begin(), taken, out.begin());
    out = out.subspan(taken);
  }
  OPENSSL_cleanse(block.data(), block.size());
  return true;
}

// Of the secret before, "derived", and of that the next: HKDF-Extract over it and the input. What
// is missing counts as zeros.
template <typename H>
bool Extract(const Derivation& asked, std::span<std::uint8_t> out) {
  static constexpr std::array<std::uint8_t, H::kBytes> kZeros{};
  if (out.size() != H::kBytes) return false;
  std::array<std::uint8_t, H::kBytes> salt{};
  if (asked.salt) {
    std::array<std::uint8_t, H::kBytes> of_nothing;
    typename H::State state;
    H::Begin(state);
    H::End(state, of_nothing.data());
    if (!Expand<H>(*asked.salt, asked, of_nothing, salt)) return false;
  }
  Hmac<H> hmac(salt);
  hmac.Add(asked.key.value_or(kZeros));
  hmac.End(out.data());
  OPENSSL_cleanse(salt.data(), salt.size());
  return true;
}

template <typename H>
bool DeriveWith(const Derivation& asked, std::span<std::uint8_t> out) {
  if (*asked.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) return Extract<H>(asked, out);
  return *asked.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && asked.key &&
         Expand<H>(*asked.key, asked, asked.data, out);
}

Octets OctetsOf(const OSSL_PARAM& param) {
  return {static_cast<const std::uint8_t*>(param.data), param.data_size};
}

std::string_view TextOf(const OSSL_PARAM& param) {
  const auto* text = static_cast<const char*>(param.data);
  return {text, strnlen(text, param.data_size)};
}

bool Is(const OSSL_PARAM& param, std::string_view name, unsigned int type) {
  return param.key == name && param.data_type == type && param.data != nullptr;
}

bool Take(const OSSL_PARAM& param, Derivation& asked) {
  if (Is(param, OSSL_KDF_PARAM_MODE, OSSL_PARAM_INTEGER)) {
    int mode = 0;
    if (OSSL_PARAM_get_int(&param, &mode) != 1) return false;
    asked.mode = mode;
    return true;
  }
  if (Is(param, OSSL_KDF_PARAM_DIGEST, OSSL_PARAM_UTF8_STRING)) {
    asked.hash = HashNamed(TextOf(param));
    return asked.hash.has_value();
  }
  if (param.data_type != OSSL_PARAM_OCTET_STRING) return false;
  const std::string_view name = param.key;
  const Octets octets = OctetsOf(param);
  const bool given = param.data != nullptr;
  if (name == OSSL_KDF_PARAM_KEY) {
    if (given) asked.key = octets;
  } else if (name == OSSL_KDF_PARAM_SALT) {
    if (given) asked.salt = octets;
  } else if (name == OSSL_KDF_PARAM_PREFIX) {
    asked.prefix = octets;
  } else if (name == OSSL_KDF_PARAM_LABEL) {
    asked.label = octets;
  } else if (name == OSSL_KDF_PARAM_DATA) {
    asked.data = octets;
  } else {
    return false;
  }
  return given || octets.empty();
}

// The KDF keeps nothing between calls: its state is an address that is not null.
void* NewKdf(void* /*provider*/) noexcept {
  static char nothing = 0;
  return &nothing;
}
void FreeKdf(void* /*state*/) noexcept {}
void ResetKdf(void* /*state*/) noexcept {}

int SetKdf(void* /*state*/, const OSSL_PARAM params[]) noexcept {
  return params == nullptr || params->key == nullptr ? 1 : 0;
}

int Derive(void* /*state*/, unsigned char* out, std::size_t size,
           const OSSL_PARAM params[]) noexcept {
  Derivation asked;
  for (const OSSL_PARAM* param = params; param != nullptr && param->key != nullptr; ++param) {
    if (!Take(*param, asked)) return 0;
  }
  if (!asked.mode || !asked.hash || size == 0) return 0;
  const std::span<std::uint8_t> into(out, size);
  const bool derived = *asked.hash == Hash::kSha256 ? DeriveWith<Sha256Hash>(asked, into)
                                                    : DeriveWith<Sha384Hash>(asked, into);
  return derived ? 1 : 0;
}

struct Mac {
  Hash hash = Hash::kSha256;
  std::optional<Hmac<Sha256Hash>> sha256;  // Of a key.
  std::optional<Hmac<Sha384Hash>> sha384;

  bool keyed() const { return sha256.has_value() || sha384.has_value(); }
  std::size_t size() const {
    return hash == Hash::kSha256 ? Sha256Hash::kBytes : Sha384Hash::kBytes;
  }
  void Key(Octets key) {
    sha256.reset();
    sha384.reset();
    if (hash == Hash::kSha256) {
      sha256.emplace(key);
    } else {
      sha384.emplace(key);
    }
  }
};

void* NewMac(void* /*provider*/) noexcept { return new (std::nothrow) Mac; }
void* CopyMac(void* mac) noexcept { return new (std::nothrow) Mac(*static_cast<Mac*>(mac)); }
void FreeMac(void* mac) noexcept { delete static_cast<Mac*>(mac); }

int SetMac(void* state, const OSSL_PARAM params[]) noexcept {
  auto& mac = *static_cast<Mac*>(state);
  for (const OSSL_PARAM* param = params; param != nullptr && param->key != nullptr; ++param) {
    if (Is(*param, OSSL_MAC_PARAM_DIGEST, OSSL_PARAM_UTF8_STRING)) {
      const std::optional<Hash> hash = HashNamed(TextOf(*param));
      if (!hash || (mac.keyed() && *hash != mac.hash)) return 0;
      mac.hash = *hash;
    } else if (Is(*param, OSSL_MAC_PARAM_KEY, OSSL_PARAM_OCTET_STRING)) {
      mac.Key(OctetsOf(*param));
    } else {
      return 0;
    }
  }
  return 1;
}

int BeginMac(void* state, const unsigned char* key, std::size_t size,
             const OSSL_PARAM params[]) noexcept {
  auto& mac = *static_cast<Mac*>(state);
  if (SetMac(state, params) != 1) return 0;
  if (key != nullptr) mac.Key({key, size});
  return mac.keyed() ? 1 : 0;
}

int AddToMac(void* state, const unsigned char* data, std::size_t size) noexcept {
  auto& mac = *static_cast<Mac*>(state);
  if (!mac.keyed()) return 0;
  if (mac.sha256) {
    mac.sha256->Add({data, size});
  } else {
    mac.sha384->Add({data, size});
  }
  return 1;
}

int EndMac(void* state, unsigned char* out, std::size_t* size, std::size_t room) noexcept {
  auto& mac = *static_cast<Mac*>(state);
  if (!mac.keyed() || room < mac.size()) return 0;
  *size = mac.size();
  if (mac.sha256) {
    mac.sha256->End(out);
  } else {
    mac.sha384->End(out);
  }
  mac.sha256.reset();
  mac.sha384.reset();
  return 1;
}

int DescribeMac(void* state, OSSL_PARAM params[]) noexcept {
  OSSL_PARAM* size = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_SIZE);
  return size == nullptr || OSSL_PARAM_set_size_t(size, static_cast<Mac*>(state)->size()) == 1 ? 1
                                                                                               : 0;
}

const OSSL_PARAM* MacGettable(void* /*state*/, void* /*provider*/) noexcept {
  static const std::array<OSSL_PARAM, 2> params = {
      {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, nullptr), OSSL_PARAM_END}};
  return params.data();
}

const OSSL_PARAM* MacSettable(void* /*state*/, void* /*provider*/) noexcept {
  static const std::array<OSSL_PARAM, 3> params = {
      {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, nullptr, 0),
       OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, nullptr, 0), OSSL_PARAM_END}};
  return params.data();
}

using Function = void (*)();  // What OpenSSL casts each entry of a table from.

}  // namespace

const OSSL_DISPATCH* Tls13KdfFunctions() {
  static const std::array<OSSL_DISPATCH, 6> table = {
      {{OSSL_FUNC_KDF_NEWCTX, reinterpret_cast<Function>(&NewKdf)},
       {OSSL_FUNC_KDF_FREECTX, reinterpret_cast<Function>(&FreeKdf)},
       {OSSL_FUNC_KDF_RESET, reinterpret_cast<Function>(&ResetKdf)},
       {OSSL_FUNC_KDF_DERIVE, reinterpret_cast<Function>(&Derive)},
       {OSSL_FUNC_KDF_SET_CTX_PARAMS, reinterpret_cast<Function>(&SetKdf)},
       {0, nullptr}}};
  return table.data();
}

const OSSL_DISPATCH* HmacFunctions() {
  static const std::array<OSSL_DISPATCH, 11> table = {
      {{OSSL_FUNC_MAC_NEWCTX, reinterpret_cast<Function>(&NewMac)},
       {OSSL_FUNC_MAC_DUPCTX, reinterpret_cast<Function>(&CopyMac)},
       {OSSL_FUNC_MAC_FREECTX, reinterpret_cast<Function>(&FreeMac)},
       {OSSL_FUNC_MAC_INIT, reinterpret_cast<Function>(&BeginMac)},
       {OSSL_FUNC_MAC_UPDATE, reinterpret_cast<Function>(&AddToMac)},
       {OSSL_FUNC_MAC_FINAL, reinterpret_cast<Function>(&EndMac)},
       {OSSL_FUNC_MAC_GET_CTX_PARAMS, reinterpret_cast<Function>(&DescribeMac)},
       {OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, reinterpret_cast<Function>(&MacGettable)},
       {OSSL_FUNC_MAC_SET_CTX_PARAMS, reinterpret_cast<Function>(&SetMac)},
       {OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, reinterpret_cast<Function>(&MacSettable)},
       {0, nullptr}}};
  return table.data();
}

}  // namespace devicetrust::pki
