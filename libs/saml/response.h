// What we tell service providers: signed assertions, or that there is none.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::saml {

// Where an answer goes and what it answers.
struct Answer {
  std::string idp_entity_id;
  std::string sp_entity_id;
  std::string acs_url;
  std::string in_response_to;  // Empty: nobody asked (IdP-initiated).
  WallTime now;
};

struct Subject {
  org::v1::User user;
  std::string name_id_format;  // One that IsSupportedNameId() knows.
  std::string session_index;   // See SessionIndexOf().
  WallTime authenticated_at;
  WallTime session_ends_at;
};

inline constexpr std::chrono::minutes kAssertionLifetime{5};
// Service providers whose clocks run late.
inline constexpr std::chrono::minutes kAssertionBackdate{1};

// A samlp:Response with one assertion, both signed with RSA-SHA256, context
// PasswordProtectedTransport, attributes of NameFormat "basic" (email, displayName,
// givenName, surname, principal, groups). Ready for base64.
absl::StatusOr<std::string> BuildResponse(const Answer& answer, const Subject& subject,
                                          const pki::Identity& signer, Random& random);

// 128 bits in hex, the same for one session at one service provider; what two of them hold says
// nothing of whether the session is the same (SAML core, section 2.7.2).
std::string SessionIndexOf(std::string_view session_id, std::string_view sp_entity_id);

// The reasons for which a service provider, and not the person, gets the bad news.
enum class Failure {
  kNoPassive,
  kRequestDenied,
  kInvalidNameIdPolicy,
  kNoAuthnContext,
  kUnknownPrincipal,
  kRequestUnsupported,
};

// A signed samlp:Response that has no assertion but says why.
absl::StatusOr<std::string> BuildFailure(const Answer& answer, Failure failure,
                                         const pki::Identity& signer, Random& random);

// The NameID's value for that user, format and service provider. A persistent one differs
// per service provider and says nothing of the user; a transient one is random.
absl::StatusOr<std::string> NameIdOf(const org::v1::User& user, std::string_view format,
                                     const Answer& answer, Random& random);

}  // namespace devicetrust::saml
