// XML signatures as SAML uses them: enveloped, SHA-2; ours in exclusive canonical form, those of
// others in any that SAML allows.
#pragma once

#include <span>
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
// does not use the prefix ds. SHA-256 with `signer`'s key; its certificate goes along.
// kFailedPrecondition when the key is neither RSA nor P-256.
absl::StatusOr<std::string> SignatureOf(std::string_view canonical, std::string_view id,
                                        const pki::Identity& signer);

// The same over octets, as a signed query has it: the algorithm's URI, and the value in its form.
absl::StatusOr<std::string_view> SignatureMethodOf(const pki::Identity& signer);
absl::StatusOr<Bytes> SignRaw(std::string_view message, const pki::Identity& signer);

// More keys of one service provider are not tried: each costs a signature check.
inline constexpr std::size_t kSigningKeysMax = 4;

// Checks the signature of `document`'s root by one of `certificates` (their keys count, not
// their dates: metadata pins them). The signature must be the root's only ds:Signature, a
// direct child, with one reference, to the root. Transforms are enveloped-signature and then at
// most one canonical form; without one it is Canonical XML 1.0 (XML Signature, section 4.4.3.2).
// Canonical forms, of the root and of SignedInfo: exclusive, with or without a PrefixList, and
// Canonical XML 1.0 and 1.1 (SAML core, sections 5.4.3 and 5.4.4). Then all of the root is
// covered, except the signature itself, which callers never read.
//
// SAML_SIGNATURE_INVALID otherwise: says what is wrong, names the algorithm that came, or says
// that the key is another.
absl::Status VerifyRootSignature(const XmlDocument& document,
                                 const std::vector<pki::Certificate>& certificates);

// OK when `signature` is by the key of one of `certificates` over `message`, with the algorithm
// of that URI: RSA or ECDSA with SHA-256, SHA-384 or SHA-512 (RFC 6931, section 2.3). Else
// SAML_SIGNATURE_INVALID, as above.
absl::Status VerifySignature(const std::vector<pki::Certificate>& certificates,
                             std::string_view algorithm, std::string_view message,
                             std::span<const std::uint8_t> signature);

// URIs of the algorithms above, best first: for metadata.
std::vector<std::string_view> DigestMethodUris();
std::vector<std::string_view> SignatureMethodUris();

}  // namespace devicetrust::saml
