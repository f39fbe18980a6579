// The short way for P-256 keys. OpenSSL 3.0 encodes and decodes any other key through its
// provider machinery: 60 us to write a SubjectPublicKeyInfo, 120 us to read one, 200 us to put
// one into a certificate or request, where a signature costs 26 us. Inside libs/pki.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libs/pki/openssl.h"

namespace devicetrust::pki {

inline constexpr std::size_t kP256PointBytes = 65;  // Uncompressed: 4, x, y.

// The point in a DER SubjectPublicKeyInfo of the named curve P-256, uncompressed (RFC 5480).
// Nothing for any other form of key; whether the point is on the curve is not looked at.
std::optional<std::span<const std::uint8_t>> P256PointOfSpki(std::span<const std::uint8_t> der);

// Null when it is not an uncompressed point of the curve.
EvpPkeyPtr P256FromPoint(std::span<const std::uint8_t> point);

// The public half of `key` in the form that X509_set_pubkey and X509_REQ_set_pubkey write
// fast; `key` itself when it is not P-256.
EvpPkeyPtr ForWriting(EVP_PKEY* key);

}  // namespace devicetrust::pki
