// The little of DER (X.690) that certificates and requests of the usual form are made of, and
// tokens of Negotiate. For libs/pki and libs/kerberos.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::pki {

using DerSpan = std::span<const std::uint8_t>;

inline constexpr std::uint8_t kDerBoolean = 0x01;
inline constexpr std::uint8_t kDerInteger = 0x02;
inline constexpr std::uint8_t kDerBits = 0x03;
inline constexpr std::uint8_t kDerOctets = 0x04;
inline constexpr std::uint8_t kDerSequence = 0x30;

// AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758, section 3.2).
inline constexpr std::array<std::uint8_t, 12> kEcdsaWithSha256 = {
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

// Takes the next element off `rest`, header included, when it has this tag and its length, of
// up to 65,535, is in the one form that DER allows. Nothing else: `rest` is left alone.
std::optional<DerSpan> TakeElement(DerSpan& rest, std::uint8_t tag);
// The same without its header.
std::optional<DerSpan> TakeContent(DerSpan& rest, std::uint8_t tag);

// The parts of SIGNED{...}: what is signed, with its header, and the octets of the signature.
struct SignedParts {
  DerSpan content;
  DerSpan signature;
};
// Of exactly one structure, signed with ecdsa-with-SHA256. Nothing for any other.
std::optional<SignedParts> SplitEcdsaSigned(DerSpan der);

// One element that holds `parts` one after the other.
Bytes DerElement(std::uint8_t tag, std::initializer_list<DerSpan> parts);

// AlgorithmIdentifier of the signatures that Signer::Sign makes with `key`.
DerSpan SignatureAlgorithm(const Signer& key);
// SIGNED{content}: a certificate, a request.
absl::StatusOr<Bytes> SignDer(DerSpan content, const Signer& key);

}  // namespace devicetrust::pki
