#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::pki {

// A PKCS#10 request whose signature has been checked: holding one proves that
// the sender holds the private key.
struct VerifiedCsr {
  std::string common_name;  // UTF-8; empty when the subject has no CN. The sender's claim.
  PublicKey public_key;     // P-256.
};

inline constexpr std::size_t kCsrBytesMax = 16 * 1024;

// Parses and verifies one DER-encoded CertificationRequest (RFC 2986, section 4).
//
// `der` must hold exactly one request of 1 to kCsrBytesMax bytes, no PEM armour
// and no trailing bytes. Requested attributes and extensions are not looked at: what a
// certificate says is the issuer's decision. Cost: one signature verification. Thread-safe.
//
// Errors:
//   kInvalidArgument     `der` is empty, too long, not DER, of another version than 1, has
//                        trailing bytes, or another signature algorithm than ECDSA with
//                        SHA-256 or longer.
//   kFailedPrecondition  it is a request for another kind of key than P-256, named curve and
//                        uncompressed point (RFC 5480); the message says which.
//   kPermissionDenied    the self-signature does not verify, so possession of the
//                        private key is not proven (RFC 2986, section 3, note 2).
absl::StatusOr<VerifiedCsr> ParseCsr(std::span<const std::uint8_t> der);

// The request for `common_name`, signed with `key`, as DER.
absl::StatusOr<Bytes> BuildCsr(const std::string& common_name, const Signer& key);

// The same armoured as "CERTIFICATE REQUEST".
std::string CsrToPem(std::span<const std::uint8_t> der);
// From text that holds one armoured request and besides it only white space; what is in it is for
// ParseCsr(). kInvalidArgument for anything else.
absl::StatusOr<Bytes> CsrFromPem(std::string_view pem);

}  // namespace devicetrust::pki
