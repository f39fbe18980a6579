// What a service provider asks for, and whether it may.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/policy.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "simulator/gateway/saml_binding.h"
#include "simulator/gateway/saml_response.h"

namespace devicetrust::gateway {

// An AuthnRequest (SAML core, section 3.4.1) that passed every check.
struct SignOnRequest {
  std::string id;       // Goes into InResponseTo.
  std::string acs_url;  // Of the registered ones: the answer goes nowhere else.
  bool force_authn = false;
  bool is_passive = false;
  std::string name_id_format;          // Empty: as the service provider's metadata prefers.
  std::optional<std::string> subject;  // The NameID that the answer must be about.
  std::string subject_qualifier;       // Whose name that is; empty: of who answers.
  std::optional<SamlFailure> failure;  // It asks for what we can't give: the answer.
};

// How far an IssueInstant may be from our clock, either way.
inline constexpr std::chrono::minutes kRequestAgeMax{10};

// Parses and checks `message` against what is registered for the app.
//
// Errors, for which there must be no answer to any URL of the request:
//   kInvalidArgument     not an AuthnRequest of SAML 2.0, or a field that is malformed;
//                        Destination is not `sso_url`, or missing from a signed one.
//   kNotFound            the Issuer is not the app's entity id.
//   kFailedPrecondition  the assertion consumer service is not in the metadata.
//   kPermissionDenied    a signature is missing where the metadata demands one, or wrong.
//   kDeadlineExceeded    IssueInstant is more than kRequestAgeMax away from `now`.
absl::StatusOr<SignOnRequest> CheckSignOnRequest(const SamlMessage& message,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view sso_url, WallTime now);

// The assertion consumer service for an answer that nobody asked for: the default one.
// kFailedPrecondition when the app has none.
absl::StatusOr<std::string> DefaultAcs(const org::v1::SamlServiceProvider& provider);
bool IsRegisteredAcs(const org::v1::SamlServiceProvider& provider, std::string_view url);

// NameID formats that we give.
inline constexpr std::string_view kNameIdUnspecified =
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
inline constexpr std::string_view kNameIdEmail =
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
inline constexpr std::string_view kNameIdPersistent =
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
inline constexpr std::string_view kNameIdTransient =
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
bool IsSupportedNameId(std::string_view format);

}  // namespace devicetrust::gateway
