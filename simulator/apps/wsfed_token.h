// The relying party's strict reading of a WS-Federation answer: a RequestSecurityTokenResponse with
// a SAML 1.1 or 2.0 assertion.
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

struct TokenRules {
  std::string issuer;
  std::span<const pki::PublicKey> issuer_keys;
  std::string realm;      // Must be the one audience.
  std::string reply_url;  // Must be the recipient, where a token names one.
  WallTime now;
  std::chrono::seconds skew{30};
};

struct Token {
  std::string id;
  bool saml11 = false;
  std::string name;                                        // Of its subject.
  std::map<std::string, std::vector<std::string>> claims;  // By address.
};

// Verifies a wresult and returns what its one assertion says.
//
// The assertion's own signature is demanded, as VerifySignature() says; everything returned is read
// from the element whose signature verified. Any further Assertion or Signature anywhere in the
// document is refused: wrapping attacks need one.
//
// Errors: kInvalidArgument for a shape that the profile does not allow; kUnauthenticated for a
// wrong signature, issuer, audience, recipient or time. The message says which.
absl::StatusOr<Token> VerifyToken(std::string_view wresult, const TokenRules& rules);

// What a relying party knows of who signs its tokens: federation metadata.
struct IssuerMetadata {
  std::string entity_id;
  std::string passive_url;
  std::string active_url;  // Empty: it has none.
  std::vector<pki::PublicKey> signing_keys;
};

// Reads a signed EntityDescriptor with a SecurityTokenServiceType. kInvalidArgument: another
// document, or a part of it is missing; kUnauthenticated: its signature is by none of its own keys.
absl::StatusOr<IssuerMetadata> ParseIssuerMetadata(std::string_view xml);

}  // namespace devicetrust::simulator
