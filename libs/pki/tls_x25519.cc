#include "libs/pki/tls_x25519.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>

namespace devicetrust::pki {
namespace {

using Octets = std::array<std::uint8_t, 32>;

// The u-coordinate that RFC 7748, section 6.1, multiplies a private key with for its public half.
constexpr Octets kBase = {9};

// Of the default provider.
struct Functions {
  OSSL_FUNC_keymgmt_new_fn* new_key = nullptr;
  OSSL_FUNC_keymgmt_free_fn* free_key = nullptr;
  OSSL_FUNC_keymgmt_import_fn* import_key = nullptr;
  OSSL_FUNC_keyexch_newctx_fn* new_exchange = nullptr;
  OSSL_FUNC_keyexch_freectx_fn* free_exchange = nullptr;
  OSSL_FUNC_keyexch_init_fn* set_own = nullptr;
  OSSL_FUNC_keyexch_set_peer_fn* set_peer = nullptr;
  OSSL_FUNC_keyexch_derive_fn* derive = nullptr;

  bool complete() const {
    return new_key != nullptr && free_key != nullptr && import_key != nullptr &&
           new_exchange != nullptr && free_exchange != nullptr && set_own != nullptr &&
           set_peer != nullptr && derive != nullptr;
  }
};
Functions functions;  // Set once, before the table that uses them is handed out.

template <typename F>
void Find(const OSSL_DISPATCH* table, int id, F*& function) {
  for (; table->function_id != 0; ++table) {
    if (table->function_id == id) function = reinterpret_cast<F*>(table->function);
  }
}

// Owned keys and exchanges of the default provider.
class Key {
 public:
  // With a private half that is not null, `public_half` is taken at its word and used for nothing.
  Key(void* provider, const Octets* private_half, const Octets& public_half)
      : key_(functions.new_key(provider)) {
    std::array<OSSL_PARAM, 3> params = {OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end(),
                                        OSSL_PARAM_construct_end()};
    const auto octets = [](const Octets& half) { return const_cast<std::uint8_t*>(half.data()); };
    OSSL_PARAM* param = params.data();
    if (private_half != nullptr) {
      *param++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, octets(*private_half),
                                                   private_half->size());
    }
    *param = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets(public_half),
                                               public_half.size());
    const int parts =
        private_half != nullptr ? OSSL_KEYMGMT_SELECT_KEYPAIR : OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
    if (key_ != nullptr && functions.import_key(key_, parts, params.data()) != 1) Free();
  }
  ~Key() { Free(); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;

  void* get() const { return key_; }  // Null: no memory, or it is no key.

 private:
  void Free() {
    if (key_ != nullptr) functions.free_key(key_);
    key_ = nullptr;
  }
  void* key_;
};

class Exchange {
 public:
  Exchange(void* provider, void* own) : state_(functions.new_exchange(provider)) {
    good_ = state_ != nullptr && own != nullptr && functions.set_own(state_, own, nullptr) == 1;
  }
  ~Exchange() {
    if (state_ != nullptr) functions.free_exchange(state_);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  bool With(void* peer, unsigned char* out) {
    std::size_t size = sizeof(Octets);
    return good_ && peer != nullptr && functions.set_peer(state_, peer) == 1 &&
           functions.derive(state_, out, &size, size) == 1 && size == sizeof(Octets);
  }

 private:
  void* state_;
  bool good_;
};

struct Kem {
  void* provider;
  void* key = nullptr;  // Borrowed: the peer's to encapsulate, our own to decapsulate.
};

void* New(void* provider) noexcept { return new (std::nothrow) Kem{provider}; }
void Free(void* kem) noexcept { delete static_cast<Kem*>(kem); }

int Begin(void* kem, void* key, const OSSL_PARAM /*params*/[]) noexcept {
  static_cast<Kem*>(kem)->key = key;
  return 1;
}

int Encapsulate(void* state, unsigned char* out, std::size_t* out_size, unsigned char* secret,
                std::size_t* secret_size) noexcept {
  if (out_size != nullptr) *out_size = sizeof(Octets);
  if (secret_size != nullptr) *secret_size = sizeof(Octets);
  if (out == nullptr) return 1;
  const Kem& kem = *static_cast<Kem*>(state);
  Octets ephemeral;
  if (RAND_priv_bytes(ephemeral.data(), static_cast<int>(ephemeral.size())) != 1) return 0;
  const Key own(kem.provider, &ephemeral, kBase);
  OPENSSL_cleanse(ephemeral.data(), ephemeral.size());
  const Key base(kem.provider, nullptr, kBase);
  Exchange exchange(kem.provider, own.get());
  return exchange.With(base.get(), out) && exchange.With(kem.key, secret) ? 1 : 0;
}

int Decapsulate(void* state, unsigned char* secret, std::size_t* secret_size,
                const unsigned char* in, std::size_t in_size) noexcept {
  if (secret_size != nullptr) *secret_size = sizeof(Octets);
  if (secret == nullptr) return 1;
  const Kem& kem = *static_cast<Kem*>(state);
  Octets peer;
  if (in_size != peer.size()) return 0;
  std::copy_n(in, in_size, peer.begin());
  const Key theirs(kem.provider, nullptr, peer);
  Exchange exchange(kem.provider, kem.key);
  return exchange.With(theirs.get(), secret) ? 1 : 0;
}

using Function = void (*)();  // What OpenSSL casts each entry of a table from.

}  // namespace

const OSSL_DISPATCH* X25519KemFunctions(const OSSL_DISPATCH* keys, const OSSL_DISPATCH* exchange) {
  Find(keys, OSSL_FUNC_KEYMGMT_NEW, functions.new_key);
  Find(keys, OSSL_FUNC_KEYMGMT_FREE, functions.free_key);
  Find(keys, OSSL_FUNC_KEYMGMT_IMPORT, functions.import_key);
  Find(exchange, OSSL_FUNC_KEYEXCH_NEWCTX, functions.new_exchange);
  Find(exchange, OSSL_FUNC_KEYEXCH_FREECTX, functions.free_exchange);
  Find(exchange, OSSL_FUNC_KEYEXCH_INIT, functions.set_own);
  Find(exchange, OSSL_FUNC_KEYEXCH_SET_PEER, functions.set_peer);
  Find(exchange, OSSL_FUNC_KEYEXCH_DERIVE, functions.derive);
  if (!functions.complete()) return nullptr;
  static const std::array<OSSL_DISPATCH, 7> table = {
      {{OSSL_FUNC_KEM_NEWCTX, reinterpret_cast<Function>(&New)},
       {OSSL_FUNC_KEM_FREECTX, reinterpret_cast<Function>(&Free)},
       {OSSL_FUNC_KEM_ENCAPSULATE_INIT, reinterpret_cast<Function>(&Begin)},
       {OSSL_FUNC_KEM_ENCAPSULATE, reinterpret_cast<Function>(&Encapsulate)},
       {OSSL_FUNC_KEM_DECAPSULATE_INIT, reinterpret_cast<Function>(&Begin)},
       {OSSL_FUNC_KEM_DECAPSULATE, reinterpret_cast<Function>(&Decapsulate)},
       {0, nullptr}}};
  return table.data();
}

}  // namespace devicetrust::pki
