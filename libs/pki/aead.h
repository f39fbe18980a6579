// Authenticated encryption of what is stored or handed out to be handed back: keys at
// rest, session cookies. AES-256-GCM.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/random.h"
#include "libs/base/status.h"

namespace devicetrust::pki {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadOverheadMax = 1 + 1 + 64 + 12 + 16;

// A key and the name under which sealed data refers to it. Memory is wiped at the end.
class AeadKey {
 public:
  // `id`: 1 to 64 characters of [A-Za-z0-9_.-]. `secret`: kAeadKeyBytes.
  static absl::StatusOr<AeadKey> Create(std::string id, std::span<const std::uint8_t> secret);
  static absl::StatusOr<AeadKey> Generate(std::string id, Random& random);
  ~AeadKey();
  AeadKey(const AeadKey&) = default;
  AeadKey(AeadKey&&) noexcept = default;
  AeadKey& operator=(const AeadKey&) = default;
  AeadKey& operator=(AeadKey&&) noexcept = default;

  const std::string& id() const { return id_; }
  const Bytes& secret() const { return secret_; }  // For sealing under another key.

 private:
  AeadKey(std::string id, Bytes secret) : id_(std::move(id)), secret_(std::move(secret)) {}
  std::string id_;
  Bytes secret_;
};

// Version octet 1, length and id of the key, 12 random octets of nonce, cipher text, tag.
// Key id and `purpose` are additional data: what was sealed as one thing does not open as
// another. `purpose` names the thing with its owner, such as "iwa.signing_key/acme/iwa-1".
// Up to 2^32 messages a key.
absl::StatusOr<Bytes> Seal(const AeadKey& key, std::string_view purpose,
                           std::span<const std::uint8_t> plain, Random& random);

// The reverse, with whichever of `keys` the data names (two are valid during a rotation).
// kInvalidArgument when it is not such a message, kNotFound when none of `keys` has its
// id, kPermissionDenied when it was changed or sealed with another key or purpose.
absl::StatusOr<Bytes> Open(std::span<const AeadKey> keys, std::string_view purpose,
                           std::span<const std::uint8_t> sealed);
absl::StatusOr<Bytes> Open(const AeadKey& key, std::string_view purpose,
                           std::span<const std::uint8_t> sealed);

}  // namespace devicetrust::pki
