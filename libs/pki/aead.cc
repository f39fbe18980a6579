#include "libs/pki/aead.h"

#include <algorithm>

#include "libs/base/ascii.h"
#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kIdBytesMax = 64;
constexpr std::size_t kPlainBytesMax = 16 * 1024 * 1024;

const EVP_CIPHER* Aes256Gcm() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return cipher;
}

bool IsIdCharacter(char c) { return IsBase64Url(c) || c == '.'; }

// What stands in clear before the nonce, and then the purpose.
Bytes AdditionalData(std::span<const std::uint8_t> head, std::string_view purpose) {
  Bytes data(head.begin(), head.end());
  data.insert(data.end(), purpose.begin(), purpose.end());
  return data;
}

bool Crypt(const AeadKey& key, bool seal, std::span<const std::uint8_t> nonce,
           std::span<const std::uint8_t> additional, std::span<const std::uint8_t> in,
           std::uint8_t* out, std::uint8_t* tag) {
  const EvpCipherCtxPtr context(EVP_CIPHER_CTX_new());
  int size = 0;
  if (context == nullptr ||
      EVP_CipherInit_ex2(context.get(), Aes256Gcm(), key.secret().data(), nonce.data(),
                         seal ? 1 : 0, nullptr) != 1 ||
      EVP_CipherUpdate(context.get(), nullptr, &size, additional.data(),
                       static_cast<int>(additional.size())) != 1) {
    return false;
  }
  if (!in.empty() &&
      EVP_CipherUpdate(context.get(), out, &size, in.data(), static_cast<int>(in.size())) != 1) {
    return false;
  }
  if (!seal && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) != 1) {
    return false;
  }
  std::uint8_t none = 0;
  return EVP_CipherFinal_ex(context.get(), &none, &size) == 1 &&
         (!seal || EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1);
}

}  // namespace

absl::StatusOr<AeadKey> AeadKey::Create(std::string id, std::span<const std::uint8_t> secret) {
  if (id.empty() || id.size() > kIdBytesMax || !std::ranges::all_of(id, IsIdCharacter)) {
    return absl::InvalidArgumentError("key id must be 1 to 64 characters of [A-Za-z0-9_.-]");
  }
  if (secret.size() != kAeadKeyBytes) {
    return absl::InvalidArgumentError("an AES-256 key has 32 bytes");
  }
  return AeadKey(std::move(id), Bytes(secret.begin(), secret.end()));
}

absl::StatusOr<AeadKey> AeadKey::Generate(std::string id, Random& random) {
  Bytes secret(kAeadKeyBytes);
  DT_RETURN_IF_ERROR(random.Fill(secret));
  absl::StatusOr<AeadKey> key = Create(std::move(id), secret);
  Wipe(secret);
  return key;
}

AeadKey::~AeadKey() { Wipe(secret_); }

absl::StatusOr<Bytes> Seal(const AeadKey& key, std::string_view purpose,
                           std::span<const std::uint8_t> plain, Random& random) {
  if (plain.size() > kPlainBytesMax) return absl::InvalidArgumentError("too long to seal");
  Bytes sealed = {kVersion, static_cast<std::uint8_t>(key.id().size())};
  sealed.insert(sealed.end(), key.id().begin(), key.id().end());
  const Bytes additional = AdditionalData(sealed, purpose);
  const std::size_t head = sealed.size();
  sealed.resize(head + kNonceBytes + plain.size() + kTagBytes);
  const std::span<std::uint8_t> nonce = std::span(sealed).subspan(head, kNonceBytes);
  DT_RETURN_IF_ERROR(random.Fill(nonce));
  std::uint8_t* text = sealed.data() + head + kNonceBytes;
  if (!Crypt(key, true, nonce, additional, plain, text, text + plain.size())) {
    return OpenSslError(absl::StatusCode::kInternal, "sealing");
  }
  return sealed;
}

absl::StatusOr<Bytes> Open(std::span<const AeadKey> keys, std::string_view purpose,
                           std::span<const std::uint8_t> sealed) {
  const bool known =
      sealed.size() >= 2 && sealed[0] == kVersion && sealed[1] > 0 && sealed[1] <= kIdBytesMax;
  const std::size_t head = known ? 2U + sealed[1] : 0U;
  if (!known || sealed.size() < head + kNonceBytes + kTagBytes ||
      sealed.size() > head + kNonceBytes + kPlainBytesMax + kTagBytes) {
    return absl::InvalidArgumentError("not a sealed message");
  }
  const std::string_view id(reinterpret_cast<const char*>(sealed.data()) + 2, head - 2);
  const auto key = std::ranges::find(keys, id, &AeadKey::id);
  if (key == keys.end()) return absl::NotFoundError("sealed with a key that is not known here");

  const std::span<const std::uint8_t> nonce = sealed.subspan(head, kNonceBytes);
  const std::span<const std::uint8_t> text =
      sealed.subspan(head + kNonceBytes, sealed.size() - head - kNonceBytes - kTagBytes);
  Bytes tag(sealed.end() - kTagBytes, sealed.end());
  Bytes plain(text.size());
  if (!Crypt(*key, false, nonce, AdditionalData(sealed.first(head), purpose), text, plain.data(),
             tag.data())) {
    ClearErrors();
    Wipe(plain);  // Nothing unauthenticated leaves.
    return absl::PermissionDeniedError("sealed message was changed or is for another purpose");
  }
  return plain;
}

absl::StatusOr<Bytes> Open(const AeadKey& key, std::string_view purpose,
                           std::span<const std::uint8_t> sealed) {
  return Open(std::span(&key, 1), purpose, sealed);
}

}  // namespace devicetrust::pki
