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
constexpr std::size_t kIdBytesMax = 256;

absl::Status BadRequest(std::string_view why, std::string foreign = {}) {
  return Error(reason::v1::REASON_SAML_REQUEST_MALFORMED, fmt::format("AuthnRequest: {}", why),
               std::move(foreign));
}

// xs:NCName, in the characters that anybody uses.
bool IsId(std::string_view text) {
  if (text.empty() || text.size() > kIdBytesMax) return false;
  if (!IsAlpha(text.front()) && text.front() != '_') return false;
  return IsAll(text, [](char c) { return IsBase64Url(c) || c == '.'; });
}

absl::StatusOr<std::vector<pki::Certificate>> ProviderKeys(
    const org::v1::SamlServiceProvider& provider) {
  std::vector<pki::Certificate> keys;
  for (const std::string& der : provider.signing_certificates_der()) {
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(AsBytes(der)));
    keys.push_back(std::move(certificate));
  }
  return keys;
}

bool IsSigned(const Message& message, XmlElement root) {
  return message.redirect ? message.query_signed : !root.Children(kDsigNs, "Signature").empty();
}

absl::Status CheckSignature(const Message& message, const XmlDocument& document,
                            const org::v1::SamlServiceProvider& provider) {
  if (!IsSigned(message, document.root())) {
    if (!provider.requests_signed()) return absl::OkStatus();
    return Error(
        reason::v1::REASON_SAML_SIGNATURE_INVALID,
        "the request is not signed, though the service provider's metadata says that it signs");
  }
  DT_ASSIGN_OR_RETURN(const std::vector<pki::Certificate> keys, ProviderKeys(provider));
  // Without a key in the metadata nothing can be said for or against a signature.
  if (keys.empty() && !provider.requests_signed()) return absl::OkStatus();
  return message.redirect ? VerifyQuerySignature(message, keys)
                          : VerifyRootSignature(document, keys);
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
                         SignOnRequest& request) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> subject, root.Child(kSamlNs, "Subject"));
  if (!subject) return absl::OkStatus();
  const std::vector<XmlElement> parts = subject->Children();
  if (parts.size() != 1 || !parts.front().Is(kSamlNs, "NameID")) {
    request.failure = Failure::kRequestUnsupported;  // Encrypted, or to be confirmed.
    return absl::OkStatus();
  }
  const XmlElement name_id = parts.front();
  request.subject = name_id.Text();
  request.subject_qualifier = name_id.Attribute("NameQualifier").value_or("");
  const std::string format = name_id.TrimmedAttribute("Format").value_or("");
  const bool any_format = format.empty() || format == kNameIdUnspecified;
  if (!any_format && request.name_id_format.empty()) request.name_id_format = format;
  const bool possible =
      (any_format || (IsSupportedNameId(format) && format == request.name_id_format)) &&
      IsOwnQualifier(name_id, provider);
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

absl::Status CheckEnvelope(const Message& message, XmlElement root, std::string_view sso_url,
                           WallTime now) {
  if (!root.Is(kSamlpNs, "AuthnRequest")) return BadRequest("the message is none", root.Name());
  const std::string version = root.Attribute("Version").value_or("");
  if (version != "2.0") return BadRequest("Version is not 2.0", version);
  if (!IsId(root.Attribute("ID").value_or(""))) return BadRequest("ID is missing or malformed");
  const std::string destination = root.TrimmedAttribute("Destination").value_or("");
  if (!destination.empty() && destination != sso_url) {
    return BadRequest(fmt::format("Destination is not {}", sso_url), destination);
  }
  // Else what was signed for another could be sent to us (SAML bindings, sections 3.4.5.2 and
  // 3.5.5.2).
  if (destination.empty() && IsSigned(message, root)) {
    return BadRequest("a signed request needs a Destination");
  }
  const std::optional<std::string> binding = root.TrimmedAttribute("ProtocolBinding");
  if (binding && *binding != kPostBinding) {
    return BadRequest("answers go by HTTP-POST only; ProtocolBinding is another", *binding);
  }
  const absl::StatusOr<WallTime> issued =
      ParseUtc(root.TrimmedAttribute("IssueInstant").value_or(""));
  if (!issued.ok()) return BadRequest("IssueInstant is missing or malformed");
  if (*issued < now - kRequestAgeMax || *issued > now + kRequestAgeMax) {
    return Error(
        reason::v1::REASON_SAML_REQUEST_EXPIRED,
        fmt::format("the request was issued more than {} minutes ago, or the clocks of the "
                    "app and of this service differ",
                    kRequestAgeMax.count()),
        root.TrimmedAttribute("IssueInstant").value_or(""));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadIssuer(const XmlDocument& document) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> issuer,
                      document.root().Child(kSamlNs, "Issuer"));
  if (!issuer) return BadRequest("Issuer is missing");
  return issuer->Text();
}

absl::StatusOr<SignOnRequest> ReadRequest(const ReceivedRequest& received,
                                          const org::v1::SamlServiceProvider& provider,
                                          std::string_view sso_url, WallTime now) {
  const Message& message = received.message();
  const XmlDocument& document = received.document();
  const XmlElement root = document.root();
  DT_RETURN_IF_ERROR(CheckEnvelope(message, root, sso_url, now));
  if (received.issuer() != provider.entity_id()) {
    return Error(reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER,
                 fmt::format("the request's Issuer is not the entity id that the app is registered "
                             "with, {}",
                             provider.entity_id()),
                 received.issuer());
  }
  DT_RETURN_IF_ERROR(CheckSignature(message, document, provider));

  SignOnRequest request;
  request.id = *root.Attribute("ID");
  DT_ASSIGN_OR_RETURN(request.acs_url, ChooseAcs(root, provider));
  DT_ASSIGN_OR_RETURN(request.force_authn, root.BooleanAttribute("ForceAuthn", false));
  DT_ASSIGN_OR_RETURN(request.is_passive, root.BooleanAttribute("IsPassive", false));
  DT_RETURN_IF_ERROR(ReadContext(root, request));
  DT_RETURN_IF_ERROR(ReadNameIdPolicy(root, provider, request));
  DT_RETURN_IF_ERROR(ReadSubject(root, provider, request));
  return request;
}

}  // namespace

absl::StatusOr<ReceivedRequest> ReceivedRequest::Parse(Message message) {
  DT_ASSIGN_OR_RETURN(XmlDocument document, Typed(XmlDocument::Parse(message.xml)));
  DT_ASSIGN_OR_RETURN(std::string issuer, Typed(ReadIssuer(document)));
  return ReceivedRequest(std::move(message), std::move(document), std::move(issuer));
}

absl::StatusOr<SignOnRequest> CheckSignOnRequest(const ReceivedRequest& request,
                                                 const org::v1::SamlServiceProvider& provider,
                                                 std::string_view sso_url, WallTime now) {
  return Typed(ReadRequest(request, provider, sso_url, now));
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

bool IsSupportedNameId(std::string_view format) {
  return format == kNameIdUnspecified || format == kNameIdEmail || format == kNameIdPersistent ||
         format == kNameIdTransient;
}

}  // namespace devicetrust::saml
