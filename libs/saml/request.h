// What a service provider asks for, and whether it may.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/saml/binding.h"
#include "libs/saml/response.h"
#include "libs/saml/xml.h"

namespace devicetrust::saml {

// An AuthnRequest (SAML core, section 3.4.1) that passed every check.
struct SignOnRequest {
  std::string id;       // Goes into InResponseTo.
  std::string acs_url;  // Of the registered ones: the answer goes nowhere else.
  bool force_authn = false;
  bool is_passive = false;
  std::string name_id_format;          // Empty: as the service provider's metadata prefers.
  std::optional<std::string> subject;  // The NameID that the answer must be about.
  std::string subject_qualifier;       // Whose name that is; empty: of who answers.
  std::optional<Failure> failure;      // It asks for what we can't give: the answer.
};

// A request as it came in, parsed, once: that is most of its cost. Nothing has been checked yet.
class ReceivedRequest {
 public:
  // SAML_REQUEST_MALFORMED: no XML (see XmlDocument), or not exactly one Issuer.
  static absl::StatusOr<ReceivedRequest> Parse(Message message);

  const std::string& issuer() const { return issuer_; }  // Who says to have sent it.
  const Message& message() const { return message_; }
  const XmlDocument& document() const { return document_; }

 private:
  ReceivedRequest(Message message, XmlDocument document, std::string issuer)
      : message_(std::move(message)), document_(std::move(document)), issuer_(std::move(issuer)) {}

  Message message_;
  XmlDocument document_;
  std::string issuer_;
};

// How far an IssueInstant may be from our clock, either way.
inline constexpr std::chrono::minutes kRequestAgeMax{10};

// Checks `request` against what is registered for the app.
//
// Errors, for which there must be no answer to any URL of the request:
//   SAML_REQUEST_MALFORMED         not an AuthnRequest of SAML 2.0, or a field that is malformed;
//                                  Destination is not `sso_url`, or missing from a signed one.
//   SAML_UNKNOWN_SERVICE_PROVIDER  the Issuer is not the app's entity id.
//   SAML_ACS_NOT_REGISTERED        the assertion consumer service is not in the metadata.
//   SAML_SIGNATURE_INVALID         a signature is missing where the metadata demands one, or wrong.
//   SAML_REQUEST_EXPIRED           IssueInstant is more than kRequestAgeMax away from `now`.
absl::StatusOr<SignOnRequest> CheckSignOnRequest(const ReceivedRequest& request,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view sso_url, WallTime now);

// The assertion consumer service for an answer that nobody asked for: the default one.
// SAML_ACS_NOT_REGISTERED when the app has none.
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

}  // namespace devicetrust::saml
