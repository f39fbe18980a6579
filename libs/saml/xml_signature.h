// XML signatures as SAML uses them: enveloped, exclusive canonical form, SHA-2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/saml/xml.h"

namespace devicetrust::saml {

inline constexpr std::string_view kRsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
inline constexpr std::string_view kEcdsaSha256 =
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

// The ds:Signature element for an element of ours.
//
// `canonical` is that element in exclusive canonical form, without the signature; `id` is
// its ID attribute. What comes back is itself canonical when it stands in an ancestor that
// does not use the prefix ds. RSA-SHA256 with `signer`'s key; its certificate goes along.
// kFailedPrecondition when the key is not RSA.
absl::StatusOr<std::string> SignatureOf(std::string_view canonical, std::string_view id,
                                        const pki::Identity& signer);

// Checks the signature of `document`'s root by one of `certificates` (their keys count, not
// their dates: metadata pins them). The signature must be the root's only ds:Signature, a
// direct child, with one reference to the root, no transform but enveloped-signature and
// exclusive canonical form, RSA or ECDSA with SHA-256, SHA-384 or SHA-512. Then all of the
// root below it is covered, except the signature itself, which callers never read.
// SAML_SIGNATURE_INVALID otherwise.
absl::Status VerifyRootSignature(const XmlDocument& document,
                                 const std::vector<pki::Certificate>& certificates);

// Whether `signature` is by `key` over `message` with the algorithm of that URI: RSA or ECDSA
// with SHA-256, SHA-384 or SHA-512 (RFC 6931, section 2.3).
bool VerifyWithAlgorithm(const pki::PublicKey& key, std::string_view algorithm,
                         std::string_view message, std::span<const std::uint8_t> signature);

}  // namespace devicetrust::saml
