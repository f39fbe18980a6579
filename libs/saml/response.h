// What we tell service providers: signed assertions, or that there is none.
#pragma once

#include <chrono>
#include <string>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/saml/subject_name.h"

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
  NameId name_id;             // See NameIdOf().
  std::string session_index;  // See SessionIndexOf().
  WallTime authenticated_at;
  WallTime session_ends_at;
  bool by_ticket = false;  // Signed in with a Kerberos ticket; else with a password over TLS.
};

inline constexpr std::chrono::minutes kAssertionLifetime{5};
// Service providers whose clocks run late.
inline constexpr std::chrono::minutes kAssertionBackdate{1};

// A samlp:Response with one assertion, context PasswordProtectedTransport or Kerberos, and the
// attributes that AttributesOf() says. The provider's settings, and where they are silent its
// metadata, say what is signed and whether the assertion is encrypted: signed first, so that the
// signature is inside. Ready for base64. kFailedPrecondition: see ChooseEncryption().
absl::StatusOr<std::string> BuildResponse(const Answer& answer, const Subject& subject,
                                          const org::v1::SamlServiceProvider& provider,
                                          const pki::Identity& signer, Random& random);

// Whether its assertions are encrypted.
bool Encrypts(const org::v1::SamlServiceProvider& provider);

// The reasons for which a service provider, and not the person, gets the bad news.
enum class Failure {
  kNoPassive,
  kRequestDenied,
  kInvalidNameIdPolicy,
  kNoAuthnContext,
  kNoSupportedIdp,
  kUnknownPrincipal,
  kRequestUnsupported,
  kUnsupportedBinding,
  kVersionMismatch,
};

// A signed samlp:Response that has no assertion but says why.
absl::StatusOr<std::string> BuildFailure(const Answer& answer, Failure failure,
                                         const pki::Identity& signer, Random& random);

}  // namespace devicetrust::saml
