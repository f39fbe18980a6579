#include "libs/saml/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/utc_time.h"
#include "libs/saml/error.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust::saml {
namespace {

constexpr std::string_view kPostBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
// Classes of authentication (SAML authentication context, section 3.4), weakest first. They
// are compared by these numbers; one that is not here can't be compared.
constexpr std::string_view kContextPrefix = "urn:oasis:names:tc:SAML:2.0:ac:classes:";
constexpr std::pair<std::string_view, int> kContextStrengths[] = {
    {"unspecified", 0},
    {"InternetProtocol", 1},
    {"InternetProtocolPassword", 2},
    {"Password", 2},
    {"PasswordProtectedTransport", 3},
    {"SecureRemotePassword", 4},
    {"Kerberos", 4},
    {"TimeSyncToken", 5},
    {"TLSClient", 5},
    {"X509", 5},
    {"Smartcard", 6},
    {"SmartcardPKI", 6},
};
constexpr int kOurStrength = 3;  // What we say is PasswordProtectedTransport.

absl::Status BadRequest(std::string_view why, std::string foreign = {}) {
  return BadMessage("AuthnRequest", why, std::move(foreign));
}

absl::StatusOr<std::string> ChooseAcs(XmlElement root,
                                      const org::v1::SamlServiceProvider& provider) {
  const std::optional<std::string> url = root.TrimmedAttribute("AssertionConsumerServiceURL");
  const std::optional<std::string> index = root.TrimmedAttribute("AssertionConsumerServiceIndex");
  if (url && index) return BadRequest("both an AssertionConsumerService URL and an index");
  if (url) {
    if (IsRegisteredAcs(provider, *url)) return *url;
    return Error(reason::v1::REASON_SAML_ACS_NOT_REGISTERED,
                 "the request wants its answer at an AssertionConsumerService that is not in the "
                 "service provider's metadata; register it there",
                 *url);
  }
  if (!index) return DefaultAcs(provider);
  int number = -1;
  const auto [stop, error] = std::from_chars(index->data(), index->data() + index->size(), number);
  if (error != std::errc() || stop != index->data() + index->size()) {
    return BadRequest("AssertionConsumerServiceIndex is not a number", *index);
  }
  for (const org::v1::AssertionConsumerService& acs : provider.acs()) {
    if (acs.index() == number) return acs.url();
  }
  return Error(
      reason::v1::REASON_SAML_ACS_NOT_REGISTERED,
      "the request names an AssertionConsumerService by an index that is not in the service "
      "provider's metadata",
      *index);
}

// Whether a NameID or a policy is of the service provider's own name space, as all that we give.
bool IsOwnQualifier(XmlElement element, const org::v1::SamlServiceProvider& provider) {
  const std::string qualifier = element.Attribute("SPNameQualifier").value_or("");
  return qualifier.empty() || qualifier == provider.entity_id();
}

absl::Status ReadNameIdPolicy(XmlElement root, const org::v1::SamlServiceProvider& provider,
                              SignOnRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> policy, root.Child(kSamlpNs, "NameIDPolicy"));
  if (!policy) return absl::OkStatus();
  if (!IsOwnQualifier(*policy, provider)) request.failure = Failure::kInvalidNameIdPolicy;
  const std::string format = policy->TrimmedAttribute("Format").value_or("");
  if (format.empty() || format == kNameIdUnspecified) return absl::OkStatus();
  request.name_id_format = format;
  if (!IsSupportedNameId(format)) request.failure = Failure::kInvalidNameIdPolicy;
  return absl::OkStatus();
}

// The answer must be about this subject and name it in the same way (SAML core, sections 3.3.4
// and 3.4.1.4). A name without a format is compared in the one that the answer has.
absl::Status ReadSubject(XmlElement root, const org::v1::SamlServiceProvider& provider,
                         std::string_view idp_entity_id, SignOnRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> subject, root.Child(kSamlNs, "Subject"));
  if (!subject) return absl::OkStatus();
  const std::vector<XmlElement> parts = subject->Children();
  if (parts.size() != 1 || !parts.front().Is(kSamlNs, "NameID")) {
    request.failure = Failure::kRequestUnsupported;  // Encrypted, or to be confirmed.
    return absl::OkStatus();
  }
  const XmlElement name_id = parts.front();
  request.subject = name_id.Text();
  const std::string qualifier = name_id.Attribute("NameQualifier").value_or("");
  const std::string format = name_id.TrimmedAttribute("Format").value_or("");
  const bool any_format = format.empty() || format == kNameIdUnspecified;
  if (!any_format && request.name_id_format.empty()) request.name_id_format = format;
  const bool possible =
      (any_format || (IsSupportedNameId(format) && format == request.name_id_format)) &&
      IsOwnQualifier(name_id, provider) && (qualifier.empty() || qualifier == idp_entity_id);
  if (!possible) request.failure = Failure::kUnknownPrincipal;
  return absl::OkStatus();
}

std::optional<int> StrengthOf(const XmlElement& element) {
  if (!element.Is(kSamlNs, "AuthnContextClassRef")) return std::nullopt;  // A declaration.
  const std::string text = element.Text();
  for (const auto& [name, strength] : kContextStrengths) {
    if (text == fmt::format("{}{}", kContextPrefix, name)) return strength;
  }
  return std::nullopt;
}

// SAML core, section 3.3.2.2.1.
absl::Status ReadContext(XmlElement root, SignOnRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> context,
                      root.Child(kSamlpNs, "RequestedAuthnContext"));
  if (!context) return absl::OkStatus();
  request.wants_context = true;
  std::vector<std::optional<int>> wanted;
  for (const XmlElement& each : context->Children()) wanted.push_back(StrengthOf(each));
  const auto any = [&](auto fits) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](std::optional<int> strength) { return strength && fits(*strength); });
  };
  const auto weaker = [](std::optional<int> strength) {
    return strength && *strength < kOurStrength;
  };
  bool satisfied = false;
  const std::string comparison = context->TrimmedAttribute("Comparison").value_or("exact");
  if (comparison == "exact") {
    satisfied = any([](int strength) { return strength == kOurStrength; });
  } else if (comparison == "minimum") {
    satisfied = any([](int strength) { return strength <= kOurStrength; });
  } else if (comparison == "maximum") {
    satisfied = any([](int strength) { return strength >= kOurStrength; });
  } else if (comparison == "better") {
    satisfied = !wanted.empty() && std::all_of(wanted.begin(), wanted.end(), weaker);
  } else {
    return BadRequest("Comparison is not exact, minimum, maximum or better", comparison);
  }
  if (!satisfied) request.failure = Failure::kNoAuthnContext;
  return absl::OkStatus();
}

// SAML core, section 3.4.1.2: by whom the person may be authenticated. We are asked ourselves, and
// ask nobody else, so ProxyCount and RequesterID are kept whatever they say.
absl::Status ReadScoping(XmlElement root, std::string_view idp_entity_id, SignOnRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> scoping, root.Child(kSamlpNs, "Scoping"));
  if (!scoping) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> list, scoping->Child(kSamlpNs, "IDPList"));
  if (!list) return absl::OkStatus();
  const std::vector<XmlElement> entries = list->Children(kSamlpNs, "IDPEntry");
  const bool named = std::any_of(entries.begin(), entries.end(), [&](const XmlElement& entry) {
    return entry.TrimmedAttribute("ProviderID") == idp_entity_id;
  });
  if (!named) request.failure = Failure::kNoSupportedIdp;
  return absl::OkStatus();
}

absl::StatusOr<SignOnRequest> ReadRequest(const ReceivedMessage& received,
                                          const org::v1::SamlServiceProvider& provider,
                                          const IdpAddress& idp, WallTime now) {
  DT_RETURN_IF_ERROR(CheckEnvelope(received, "AuthnRequest", provider, idp.url, now));
  DT_RETURN_IF_ERROR(CheckSignature(received, provider, provider.requests_signed()));
  const XmlElement root = received.document().root();

  SignOnRequest request;
  request.id = *root.Attribute("ID");
  DT_ASSIGN_OR_RETURN(request.acs_url, ChooseAcs(root, provider));
  DT_ASSIGN_OR_RETURN(request.force_authn, root.BooleanAttribute("ForceAuthn", false));
  DT_ASSIGN_OR_RETURN(request.is_passive, root.BooleanAttribute("IsPassive", false));
  DT_RETURN_IF_ERROR(ReadContext(root, request));
  DT_RETURN_IF_ERROR(ReadNameIdPolicy(root, provider, request));
  DT_RETURN_IF_ERROR(ReadSubject(root, provider, idp.entity_id, request));
  DT_RETURN_IF_ERROR(ReadScoping(root, idp.entity_id, request));
  // Of the services in the metadata those with this binding alone are registered.
  if (root.TrimmedAttribute("ProtocolBinding").value_or(std::string(kPostBinding)) !=
      kPostBinding) {
    request.failure = Failure::kUnsupportedBinding;
  }
  if (root.Attribute("Version") != "2.0") request.failure = Failure::kVersionMismatch;
  return request;
}

}  // namespace

absl::StatusOr<SignOnRequest> CheckSignOnRequest(const ReceivedMessage& request,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 const IdpAddress& idp, WallTime now) {
  return Typed(ReadRequest(request, provider, idp, now));
}

absl::StatusOr<std::string> DefaultAcs(const org::v1::SamlServiceProvider& provider) {
  for (const org::v1::AssertionConsumerService& acs : provider.acs()) {
    if (acs.is_default()) return acs.url();
  }
  if (provider.acs_size() > 0) return provider.acs(0).url();
  return Error(reason::v1::REASON_SAML_ACS_NOT_REGISTERED,
               "the app has no AssertionConsumerService registered");
}

bool IsRegisteredAcs(const org::v1::SamlServiceProvider& provider, std::string_view url) {
  return std::any_of(provider.acs().begin(), provider.acs().end(),
                     [&](const auto& acs) { return acs.url() == url; });
}

}  // namespace devicetrust::saml
