// Digests, message authentication codes and comparison of secrets.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "libs/base/bytes.h"

namespace devicetrust::pki {

using Sha256Digest = std::array<std::uint8_t, 32>;
using Sha1Digest = std::array<std::uint8_t, 20>;

Sha256Digest Sha256(std::span<const std::uint8_t> data);
inline Sha256Digest Sha256(std::string_view text) { return Sha256(AsBytes(text)); }

// What a signature may be made over; SHA-1 is no choice.
enum class HashType { kSha256, kSha384, kSha512 };
Bytes HashOf(HashType type, std::span<const std::uint8_t> data);

// RFC 2104. A key of any length, empty too.
Sha256Digest HmacSha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data);
// For TOTP (RFC 6238) alone: authenticators know no other.
Sha1Digest HmacSha1(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data);

// Takes the same time wherever the first difference is. Lengths are no secret.
bool ConstantTimeEquals(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);
inline bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return ConstantTimeEquals(AsBytes(a), AsBytes(b));
}

// Overwrites a secret that is no longer needed; the compiler may not drop it.
void Wipe(std::span<std::uint8_t> secret);

}  // namespace devicetrust::pki
