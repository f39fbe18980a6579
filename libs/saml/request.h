// What a service provider asks for, and whether it may.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/saml/received_message.h"
#include "libs/saml/response.h"

namespace devicetrust::saml {

// An AuthnRequest (SAML core, section 3.4.1) that passed every check.
struct SignOnRequest {
  std::string id;       // Goes into InResponseTo.
  std::string acs_url;  // Of the registered ones: the answer goes nowhere else.
  bool force_authn = false;
  bool is_passive = false;
  bool wants_context = false;          // RequestedAuthnContext, which a password meets.
  std::string name_id_format;          // Empty: as the service provider's metadata prefers.
  std::optional<std::string> subject;  // The NameID that the answer must be about.
  std::optional<Failure> failure;      // It asks for what we can't give: the answer.
};

// Whom the request is for: us, at the address where it came in.
struct IdpAddress {
  std::string_view entity_id;
  std::string_view url;
};

// Checks `request` against what is registered for the app.
//
// Errors, for which there must be no answer to any URL of the request:
//   SAML_REQUEST_MALFORMED         not an AuthnRequest, or a field that is malformed; Destination
//                                  is not the IdP's address, or missing from a signed one.
//   SAML_UNKNOWN_SERVICE_PROVIDER  the Issuer is not the app's entity id.
//   SAML_ACS_NOT_REGISTERED        the assertion consumer service is not in the metadata.
//   SAML_SIGNATURE_INVALID         a signature is missing where the metadata demands one, or wrong.
//   SAML_REQUEST_EXPIRED           IssueInstant is more than kRequestAgeMax away from `now`.
// What the app may ask but we can't give is no error but `failure`: there the app is told.
absl::StatusOr<SignOnRequest> CheckSignOnRequest(const ReceivedMessage& request,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 const IdpAddress& idp, WallTime now);

// The assertion consumer service for an answer that nobody asked for: the default one.
// SAML_ACS_NOT_REGISTERED when the app has none.
absl::StatusOr<std::string> DefaultAcs(const org::v1::SamlServiceProvider& provider);
bool IsRegisteredAcs(const org::v1::SamlServiceProvider& provider, std::string_view url);

}  // namespace devicetrust::saml
