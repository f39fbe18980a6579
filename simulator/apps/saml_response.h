// The service provider's strict reading of a SAML 2.0 Response.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/key.h"

namespace devicetrust::simulator {

struct ResponseRules {
  std::string idp_entity_id;
  std::span<const pki::PublicKey> idp_keys;
  std::string sp_entity_id;  // Must be an audience.
  std::string acs_url;       // Must be destination and recipient.
  std::string request_id;    // Must be what the response and its subject answer.
  WallTime now;
  std::chrono::seconds skew{30};
};

struct Assertion {
  std::string id;
  std::string name_id;
  std::string name_id_format;
  std::string session_index;
  std::string authn_context;
  std::map<std::string, std::vector<std::string>> attributes;  // By name.
};

// Verifies the XML of one Response and returns what its one assertion says.
//
// The assertion's own signature is always demanded, the Response's is verified when there is
// one; both as VerifySignature() says. Everything returned is read from the element whose
// signature verified. Any further Assertion, Signature or EncryptedAssertion anywhere in the
// document is refused: wrapping attacks need one.
//
// Errors: kInvalidArgument for a shape that the profile does not allow; kUnauthenticated for
// a wrong signature, issuer, audience, recipient, request or time; kPermissionDenied when the
// identity provider answers with a status other than success. The message says which.
absl::StatusOr<Assertion> VerifyResponse(std::string_view xml, const ResponseRules& rules);

}  // namespace devicetrust::simulator
