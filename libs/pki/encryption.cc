#include "libs/pki/encryption.h"

#include <openssl/rsa.h>

#include <algorithm>
#include <iterator>

#include "libs/base/check.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

using EvpPkeyCtxPtr = Owned<EVP_PKEY_CTX, &EVP_PKEY_CTX_free>;
constexpr std::size_t kGcmTagBytes = 16;

struct Cipher {
  ContentCipher cipher;
  const char* name;
  std::size_t key_bytes;
  bool gcm;
  std::size_t iv_bytes() const { return gcm ? 12 : 16; }
  std::size_t tag_bytes() const { return gcm ? kGcmTagBytes : 0; }
};
constexpr Cipher kCiphers[] = {
    {ContentCipher::kAes128Gcm, "AES-128-GCM", 16, true},
    {ContentCipher::kAes192Gcm, "AES-192-GCM", 24, true},
    {ContentCipher::kAes256Gcm, "AES-256-GCM", 32, true},
    {ContentCipher::kAes128Cbc, "AES-128-CBC", 16, false},
    {ContentCipher::kAes192Cbc, "AES-192-CBC", 24, false},
    {ContentCipher::kAes256Cbc, "AES-256-CBC", 32, false},
};

const Cipher& Of(ContentCipher cipher) {
  const auto* const at = std::ranges::find(kCiphers, cipher, &Cipher::cipher);
  DT_CHECK(at != std::end(kCiphers));
  return *at;
}

// A context for one message; null on failure.
EvpCipherCtxPtr Start(const Cipher& cipher, bool encrypt, std::span<const std::uint8_t> key,
                      std::span<const std::uint8_t> iv) {
  const Owned<EVP_CIPHER, &EVP_CIPHER_free> algorithm(
      EVP_CIPHER_fetch(nullptr, cipher.name, nullptr));
  EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  if (algorithm == nullptr || context == nullptr ||
      EVP_CipherInit_ex2(context.get(), algorithm.get(), key.data(), iv.data(), encrypt ? 1 : 0,
                         nullptr) != 1) {
    context.reset();
  }
  return context;
}

// `out` has room for `in` and a block; grows by what was written.
bool Run(EVP_CIPHER_CTX* context, std::span<const std::uint8_t> in, std::uint8_t* out,
         std::size_t& written) {
  int size = 0;
  int rest = 0;
  if (EVP_CipherUpdate(context, out, &size, in.data(), static_cast<int>(in.size())) != 1 ||
      EVP_CipherFinal_ex(context, out + size, &rest) != 1) {
    return false;
  }
  written = static_cast<std::size_t>(size + rest);
  return true;
}

const EVP_MD* DigestOf(OaepHash hash) {
  return hash == OaepHash::kSha1 ? EVP_sha1() : EVP_sha256();
}

bool UseOaep(EVP_PKEY_CTX* context, OaepHash hash, OaepHash mgf1) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(context, DigestOf(hash)) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, DigestOf(mgf1)) == 1;
}

}  // namespace

std::size_t KeyBytesOf(ContentCipher cipher) { return Of(cipher).key_bytes; }

absl::StatusOr<Bytes> EncryptContent(ContentCipher cipher, std::span<const std::uint8_t> key,
                                     std::span<const std::uint8_t> plain, Random& random) {
  const Cipher& chosen = Of(cipher);
  if (key.size() != chosen.key_bytes) return absl::InvalidArgumentError("key of another length");
  constexpr std::size_t kBlockBytes = 16;
  const std::size_t iv_bytes = chosen.iv_bytes();
  Bytes out(iv_bytes + plain.size() + kBlockBytes + chosen.tag_bytes());
  DT_RETURN_IF_ERROR(random.Fill(std::span(out).first(iv_bytes)));
  const EvpCipherCtxPtr context = Start(chosen, true, key, std::span(out).first(iv_bytes));
  std::size_t written = 0;
  if (context == nullptr || !Run(context.get(), plain, out.data() + iv_bytes, written)) {
    return OpenSslError(absl::StatusCode::kInternal, "content encryption");
  }
  std::uint8_t* const tag = out.data() + iv_bytes + written;
  if (chosen.gcm && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG,
                                        static_cast<int>(kGcmTagBytes), tag) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "content encryption");
  }
  out.resize(iv_bytes + written + chosen.tag_bytes());
  return out;
}

absl::StatusOr<Bytes> DecryptContent(ContentCipher cipher, std::span<const std::uint8_t> key,
                                     std::span<const std::uint8_t> encrypted) {
  const Cipher& chosen = Of(cipher);
  const absl::Status refused = absl::PermissionDeniedError("the content does not decrypt");
  const std::size_t around = chosen.iv_bytes() + chosen.tag_bytes();
  if (key.size() != chosen.key_bytes || encrypted.size() < around) return refused;
  const auto text = encrypted.subspan(chosen.iv_bytes(), encrypted.size() - around);
  const EvpCipherCtxPtr context = Start(chosen, false, key, encrypted.first(chosen.iv_bytes()));
  Bytes tag(encrypted.end() - static_cast<std::ptrdiff_t>(chosen.tag_bytes()), encrypted.end());
  Bytes out(text.size() + 16);
  std::size_t written = 0;
  if (context == nullptr ||
      (chosen.gcm && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG,
                                         static_cast<int>(kGcmTagBytes), tag.data()) != 1) ||
      !Run(context.get(), text, out.data(), written)) {
    ClearErrors();
    return refused;
  }
  out.resize(written);
  return out;
}

absl::StatusOr<Bytes> EncryptOaep(const PublicKey& key, OaepHash hash, OaepHash mgf1,
                                  std::span<const std::uint8_t> plain) {
  if (key.type() != KeyType::kRsa2048) {
    return absl::FailedPreconditionError("RSA-OAEP takes an RSA key");
  }
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  std::size_t size = 0;
  if (context == nullptr || EVP_PKEY_encrypt_init(context.get()) != 1 ||
      !UseOaep(context.get(), hash, mgf1) ||
      EVP_PKEY_encrypt(context.get(), nullptr, &size, plain.data(), plain.size()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "RSA-OAEP");
  }
  Bytes out(size);
  if (EVP_PKEY_encrypt(context.get(), out.data(), &size, plain.data(), plain.size()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "RSA-OAEP");
  }
  out.resize(size);
  return out;
}

absl::StatusOr<Bytes> DecryptOaep(const PrivateKey& key, OaepHash hash, OaepHash mgf1,
                                  std::span<const std::uint8_t> encrypted) {
  const EvpPkeyCtxPtr context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  Bytes out(512);  // As long as the longest key that we accept.
  std::size_t size = out.size();
  if (key.type() != KeyType::kRsa2048 || context == nullptr ||
      EVP_PKEY_decrypt_init(context.get()) != 1 || !UseOaep(context.get(), hash, mgf1) ||
      EVP_PKEY_decrypt(context.get(), out.data(), &size, encrypted.data(), encrypted.size()) != 1) {
    ClearErrors();
    return absl::PermissionDeniedError("the key does not decrypt");
  }
  out.resize(size);
  return out;
}

}  // namespace devicetrust::pki
