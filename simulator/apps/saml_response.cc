#include "simulator/apps/saml_response.h"

#include <fmt/format.h>

#include <optional>

#include "libs/base/utc_time.h"
#include "simulator/apps/signature.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {
namespace {

constexpr std::string_view kSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success";
constexpr std::string_view kBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

absl::Status Expect(const std::optional<std::string>& found, const std::string& wanted,
                    std::string_view what) {
  if (found == wanted) return absl::OkStatus();
  return absl::UnauthenticatedError(
      fmt::format("{} is \"{}\", not \"{}\"", what, found.value_or("absent"), wanted));
}

// NotBefore <= now < NotOnOrAfter, each when it is there, give or take the skew.
absl::Status CheckWindow(Element element, const ResponseRules& rules) {
  if (const auto begin = element.Attribute("NotBefore"); begin.has_value()) {
    DT_ASSIGN_OR_RETURN(const WallTime time, ParseUtc(*begin));
    if (rules.now + rules.skew < time) return absl::UnauthenticatedError("not valid yet");
  }
  if (const auto end = element.Attribute("NotOnOrAfter"); end.has_value()) {
    DT_ASSIGN_OR_RETURN(const WallTime time, ParseUtc(*end));
    if (rules.now - rules.skew >= time) return absl::UnauthenticatedError("no longer valid");
  }
  return absl::OkStatus();
}

absl::Status CheckHead(Element element, const ResponseRules& rules, bool issuer_needed) {
  DT_RETURN_IF_ERROR(Expect(element.Attribute("Version"), "2.0", "Version"));
  DT_ASSIGN_OR_RETURN(const WallTime issued,
                      ParseUtc(element.Attribute("IssueInstant").value_or("")));
  if (issued > rules.now + rules.skew) return absl::UnauthenticatedError("issued in the future");
  const std::vector<Element> issuers = element.Children(kSamlNs, "Issuer");
  if (issuers.empty() && !issuer_needed) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const Element issuer, element.Only(kSamlNs, "Issuer"));
  return Expect(issuer.Text(), rules.idp_entity_id, "Issuer");
}

absl::Status CheckStatus(Element response) {
  DT_ASSIGN_OR_RETURN(const Element status, response.Only(kSamlpNs, "Status"));
  DT_ASSIGN_OR_RETURN(const Element code, status.Only(kSamlpNs, "StatusCode"));
  const std::string value = code.Attribute("Value").value_or("");
  if (value == kSuccess) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("the identity provider answers {}", value));
}

// One assertion, where the profile puts it, and no signature that nobody will verify.
absl::StatusOr<Element> FindAssertion(const Document& document) {
  const Element response = document.root();
  DT_ASSIGN_OR_RETURN(const Element assertion, response.Only(kSamlNs, "Assertion"));
  if (document.Find(kSamlNs, "Assertion").size() != 1 ||
      document.Find(kSamlpNs, "Response").size() != 1 ||
      !document.Find(kSamlNs, "EncryptedAssertion").empty()) {
    return absl::InvalidArgumentError("document has more than its one Response and Assertion");
  }
  const std::size_t in_place =
      assertion.Children(kDsNs, "Signature").size() + response.Children(kDsNs, "Signature").size();
  if (document.Find(kDsNs, "Signature").size() != in_place) {
    return absl::InvalidArgumentError("document has a signature in an unexpected place");
  }
  return assertion;
}

absl::Status CheckSubject(Element subject, const ResponseRules& rules) {
  DT_ASSIGN_OR_RETURN(const Element confirmation, subject.Only(kSamlNs, "SubjectConfirmation"));
  DT_RETURN_IF_ERROR(Expect(confirmation.Attribute("Method"), std::string(kBearer), "Method"));
  DT_ASSIGN_OR_RETURN(const Element data, confirmation.Only(kSamlNs, "SubjectConfirmationData"));
  DT_RETURN_IF_ERROR(Expect(data.Attribute("Recipient"), rules.acs_url, "Recipient"));
  DT_RETURN_IF_ERROR(
      Expect(data.Attribute("InResponseTo"), rules.request_id, "the subject's InResponseTo"));
  if (data.Attribute("NotBefore").has_value() || !data.Attribute("NotOnOrAfter").has_value()) {
    return absl::InvalidArgumentError("a bearer confirmation has NotOnOrAfter and no NotBefore");
  }
  return CheckWindow(data, rules);
}

absl::Status CheckConditions(Element assertion, const ResponseRules& rules) {
  DT_ASSIGN_OR_RETURN(const Element conditions, assertion.Only(kSamlNs, "Conditions"));
  DT_RETURN_IF_ERROR(CheckWindow(conditions, rules));
  bool for_us = false;
  for (const Element condition : conditions.Children()) {
    if (condition.Is(kSamlNs, "OneTimeUse")) continue;
    if (!condition.Is(kSamlNs, "AudienceRestriction")) {
      return absl::InvalidArgumentError("assertion has a condition that is not understood");
    }
    bool named = false;
    for (const Element audience : condition.Children(kSamlNs, "Audience")) {
      named = named || audience.Text() == rules.sp_entity_id;
    }
    if (!named) return absl::UnauthenticatedError("assertion is for another audience");
    for_us = true;
  }
  return for_us ? absl::OkStatus() : absl::UnauthenticatedError("assertion names no audience");
}

absl::StatusOr<Assertion> ReadAssertion(Element assertion, Element subject) {
  Assertion result;
  result.id = assertion.Attribute("ID").value_or("");
  DT_ASSIGN_OR_RETURN(const Element name_id, subject.Only(kSamlNs, "NameID"));
  result.name_id = name_id.Text();
  result.name_id_format = name_id.Attribute("Format").value_or("");
  DT_ASSIGN_OR_RETURN(const Element authn, assertion.Only(kSamlNs, "AuthnStatement"));
  result.session_index = authn.Attribute("SessionIndex").value_or("");
  DT_ASSIGN_OR_RETURN(const Element context, authn.Only(kSamlNs, "AuthnContext"));
  DT_ASSIGN_OR_RETURN(const Element reference, context.Only(kSamlNs, "AuthnContextClassRef"));
  result.authn_context = reference.Text();
  for (const Element statement : assertion.Children(kSamlNs, "AttributeStatement")) {
    for (const Element attribute : statement.Children(kSamlNs, "Attribute")) {
      auto& values = result.attributes[attribute.Attribute("Name").value_or("")];
      for (const Element value : attribute.Children(kSamlNs, "AttributeValue")) {
        values.push_back(value.Text());
      }
    }
  }
  if (result.name_id.empty()) return absl::InvalidArgumentError("assertion names nobody");
  return result;
}

}  // namespace

absl::StatusOr<Assertion> VerifyResponse(std::string_view xml, const ResponseRules& rules) {
  DT_ASSIGN_OR_RETURN(const Document document, Document::Parse(xml));
  const Element response = document.root();
  if (!response.Is(kSamlpNs, "Response")) return absl::InvalidArgumentError("not a SAML Response");
  DT_RETURN_IF_ERROR(CheckHead(response, rules, /*issuer_needed=*/false));
  DT_RETURN_IF_ERROR(Expect(response.Attribute("Destination"), rules.acs_url, "Destination"));
  DT_RETURN_IF_ERROR(Expect(response.Attribute("InResponseTo"), rules.request_id, "InResponseTo"));
  DT_RETURN_IF_ERROR(CheckStatus(response));

  DT_ASSIGN_OR_RETURN(const Element assertion, FindAssertion(document));
  if (!response.Children(kDsNs, "Signature").empty()) {
    DT_RETURN_IF_ERROR(VerifySignature(document, response, rules.idp_keys));
  }
  DT_RETURN_IF_ERROR(VerifySignature(document, assertion, rules.idp_keys));
  DT_RETURN_IF_ERROR(CheckHead(assertion, rules, /*issuer_needed=*/true));
  DT_RETURN_IF_ERROR(CheckConditions(assertion, rules));
  DT_ASSIGN_OR_RETURN(const Element subject, assertion.Only(kSamlNs, "Subject"));
  DT_RETURN_IF_ERROR(CheckSubject(subject, rules));
  return ReadAssertion(assertion, subject);
}

}  // namespace devicetrust::simulator
