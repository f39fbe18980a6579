// What an app is told of a person: a signed SAML assertion in a RequestSecurityTokenResponse.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::wsfed {

inline constexpr std::chrono::minutes kTokenLifetime{5};
// Relying parties whose clocks run late.
inline constexpr std::chrono::minutes kTokenBackdate{1};

// One thing that a token says of the person.
struct Claim {
  std::string name;  // An address with a path: ".../claims/upn".
  std::vector<std::string> values;
};

struct Subject {
  org::v1::User user;
  WallTime authenticated_at;
  bool multi_factor = false;  // A second factor was given in this session.
  bool by_ticket = false;     // Signed in with a Kerberos ticket; else with a password.
};

struct Answer {
  std::string issuer;     // Our entity id.
  std::string reply_url;  // Where the token goes; empty when it goes to no browser.
  org::v1::WsFedRelyingParty::TokenType token_type;
  WallTime now;
};

// What `party` is told of `subject`: the claims of Office 365, those that an administrator chose,
// or the general ones. Without a value there is no claim; no name comes twice.
std::vector<Claim> ClaimsOf(const org::v1::WsFedRelyingParty& party, const Subject& subject);

// Base64 of the account's SID in binary: the same for ever, whatever the account is called, and
// never another account's. Empty without a SID.
std::string ImmutableIdOf(const org::v1::User& user);

// A signed assertion in exclusive canonical form: RSA-SHA256, the party's realm its one audience,
// valid for kTokenLifetime. Its subject is the ImmutableID for Office 365, else the principal.
absl::StatusOr<std::string> BuildToken(const Answer& answer,
                                       const org::v1::WsFedRelyingParty& party,
                                       const Subject& subject, const pki::Identity& signer,
                                       Random& random);

// The RequestSecurityTokenResponse around `token`, in WS-Trust of `trust_ns` (kTrust2005Ns is what
// browsers carry). Not signed itself: the token is.
std::string BuildTokenResponse(std::string_view trust_ns, const Answer& answer,
                               std::string_view realm, std::string_view token);

}  // namespace devicetrust::wsfed
