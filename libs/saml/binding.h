// How SAML messages travel (SAML bindings, sections 3.4 and 3.5): deflated in a query, or
// as base64 in a form. Sizes are bounded before and after inflating.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/status.h"
#include "libs/http/form.h"
#include "libs/pki/certificate.h"

namespace devicetrust::saml {

inline constexpr std::size_t kSamlMessageBytesMax = 64 * 1024;
// SAML says 80 (SAML bindings, section 3.4.3); products send a page's address or a token of theirs.
// It is carried unchanged, by whomever it came.
inline constexpr std::size_t kRelayStateBytesMax = 4096;

// A message as it came in, not yet looked at.
struct Message {
  std::string xml;
  std::string relay_state;
  bool redirect = false;  // Else POST.
  // Of a signed Redirect: the octets under the signature as sent, algorithm and value.
  bool query_signed = false;
  std::string signed_octets;
  std::string signature_algorithm;
  std::string signature;  // Decoded octets.
};

// SAML_REQUEST_MALFORMED: `name` (SAMLRequest, SAMLResponse) is missing or doubled, is no base64,
// does not inflate, grows past kSamlMessageBytesMax, or is deflated where it must not be;
// RelayState is too long; SigAlg without Signature or the reverse.
absl::StatusOr<Message> DecodeRedirect(const http::Parameters& query, std::string_view name);
absl::StatusOr<Message> DecodePost(const http::Parameters& form, std::string_view name);

// Its RelayState alone, which comes without a message when no app asked. As above.
absl::StatusOr<std::string> RelayStateOf(const http::Parameters& parameters);

// Checks the query's signature. SAML_SIGNATURE_INVALID: there is none, or not by one of the keys.
absl::Status VerifyQuerySignature(const Message& message,
                                  const std::vector<pki::Certificate>& certificates);

// The address that carries `xml` as `name`, with RelayState unless empty, signed over the query by
// `signer` (SAML bindings, section 3.4.4.1). Errors: those of SignRaw().
absl::StatusOr<std::string> EncodeRedirect(std::string_view url, std::string_view name,
                                           std::string_view xml, std::string_view relay_state,
                                           const pki::Identity& signer);

// Raw DEFLATE (RFC 1951). kInvalidArgument: no such data, or something follows it. kOutOfRange:
// more than `bytes_max` come out.
absl::StatusOr<std::string> Inflate(std::string_view deflated, std::size_t bytes_max);
std::string Deflate(std::string_view text);

}  // namespace devicetrust::saml
