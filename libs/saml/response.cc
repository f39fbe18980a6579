#include "libs/saml/response.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/base/utc_time.h"
#include "libs/pki/digest.h"
#include "libs/saml/request.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"

// Elements are written in exclusive canonical form from the start (namespace declarations,
// then attributes in order; no empty-element tags; see EscapeXml*): what is signed is what
// is sent, and no canonicalisation runs. Tests let xmlsec1 confirm it.

namespace devicetrust::saml {
namespace {

absl::StatusOr<std::string> NewXmlId(Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string id, NewRandomHex(20, random));
  return "_" + id;  // An xs:ID may not begin with a digit.
}

std::string Element(std::string_view name, std::string_view attributes, std::string_view content) {
  return fmt::format("<{}{}>{}</{}>", name, attributes, content, name);
}

std::string TextElement(std::string_view name, std::string_view text) {
  return Element(name, "", EscapeXmlText(text));
}

std::string XmlAttribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, EscapeXmlAttribute(value));
}

std::string SamlDeclaration() { return fmt::format(" xmlns:saml=\"{}\"", kSamlNs); }

std::string AttributeStatement(const org::v1::User& user) {
  const auto attribute = [](std::string_view name, const std::vector<std::string>& values) {
    if (values.empty() || values.front().empty()) return std::string();
    std::string content;
    for (const std::string& value : values) content += TextElement("saml:AttributeValue", value);
    return Element(
        "saml:Attribute",
        XmlAttribute("Name", name) +
            XmlAttribute("NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"),
        content);
  };
  return Element("saml:AttributeStatement", "",
                 attribute("principal", {user.principal()}) + attribute("email", {user.email()}) +
                     attribute("displayName", {user.display_name()}) +
                     attribute("givenName", {user.given_name()}) +
                     attribute("surname", {user.surname()}) +
                     attribute("groups", {user.groups().begin(), user.groups().end()}));
}

std::string SubjectElement(const Answer& answer, std::string_view format,
                           std::string_view name_id) {
  const std::string name =
      Element("saml:NameID", XmlAttribute("Format", format), EscapeXmlText(name_id));
  std::string data;
  if (!answer.in_response_to.empty()) data = XmlAttribute("InResponseTo", answer.in_response_to);
  data += XmlAttribute("NotOnOrAfter", FormatUtc(answer.now + kAssertionLifetime));
  data += XmlAttribute("Recipient", answer.acs_url);
  const std::string confirmation = Element(
      "saml:SubjectConfirmation", XmlAttribute("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer"),
      Element("saml:SubjectConfirmationData", data, ""));
  return Element("saml:Subject", "", name + confirmation);
}

std::string Conditions(const Answer& answer) {
  return Element(
      "saml:Conditions",
      XmlAttribute("NotBefore", FormatUtc(answer.now - kAssertionBackdate)) +
          XmlAttribute("NotOnOrAfter", FormatUtc(answer.now + kAssertionLifetime)),
      Element("saml:AudienceRestriction", "", TextElement("saml:Audience", answer.sp_entity_id)));
}

std::string AuthnStatement(const Subject& subject) {
  return Element(
      "saml:AuthnStatement",
      XmlAttribute("AuthnInstant", FormatUtc(subject.authenticated_at)) +
          XmlAttribute("SessionIndex", subject.session_index) +
          XmlAttribute("SessionNotOnOrAfter", FormatUtc(subject.session_ends_at)),
      Element("saml:AuthnContext", "",
              TextElement("saml:AuthnContextClassRef",
                          "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport")));
}

// An element whose signature stands between its Issuer and the rest.
absl::StatusOr<std::string> SignedElement(std::string_view name, std::string_view attributes,
                                          std::string_view issuer, std::string_view rest,
                                          std::string_view id, const pki::Identity& signer) {
  const std::string unsigned_form = Element(name, attributes, fmt::format("{}{}", issuer, rest));
  DT_ASSIGN_OR_RETURN(const std::string signature, SignatureOf(unsigned_form, id, signer));
  return Element(name, attributes, fmt::format("{}{}{}", issuer, signature, rest));
}

absl::StatusOr<std::string> SignedResponse(const Answer& answer, std::string_view status,
                                           std::string_view assertion, const pki::Identity& signer,
                                           Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string id, NewXmlId(random));
  std::string attributes = fmt::format(" xmlns:samlp=\"{}\"", kSamlpNs);
  attributes += XmlAttribute("Destination", answer.acs_url) + XmlAttribute("ID", id);
  if (!answer.in_response_to.empty()) {
    attributes += XmlAttribute("InResponseTo", answer.in_response_to);
  }
  attributes += XmlAttribute("IssueInstant", FormatUtc(answer.now));
  attributes += XmlAttribute("Version", "2.0");
  const std::string issuer =
      Element("saml:Issuer", SamlDeclaration(), EscapeXmlText(answer.idp_entity_id));
  return SignedElement("samlp:Response", attributes, issuer, fmt::format("{}{}", status, assertion),
                       id, signer);
}

std::string StatusCode(std::string_view value, std::string_view inner) {
  return Element("samlp:StatusCode",
                 XmlAttribute("Value", fmt::format("urn:oasis:names:tc:SAML:2.0:status:{}", value)),
                 inner);
}

}  // namespace

std::string SessionIndexOf(std::string_view session_id, std::string_view sp_entity_id) {
  const pki::Sha256Digest digest = pki::Sha256(fmt::format("{}\n{}", session_id, sp_entity_id));
  return HexEncode(std::span(digest).first(16));
}

absl::StatusOr<std::string> NameIdOf(const org::v1::User& user, std::string_view format,
                                     const Answer& answer, Random& random) {
  if (format == kNameIdEmail && !user.email().empty()) return user.email();
  if (format == kNameIdTransient) return NewXmlId(random);
  if (format == kNameIdPersistent) {
    // The user's id is random and known to nobody outside, so the hash can't be tried out.
    return HexEncode(pki::Sha256(
        fmt::format("{}\n{}\n{}", answer.idp_entity_id, answer.sp_entity_id, user.id())));
  }
  return user.principal();
}

absl::StatusOr<std::string> BuildResponse(const Answer& answer, const Subject& subject,
                                          const pki::Identity& signer, Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string id, NewXmlId(random));
  DT_ASSIGN_OR_RETURN(const std::string name_id,
                      NameIdOf(subject.user, subject.name_id_format, answer, random));
  const std::string attributes = SamlDeclaration() + XmlAttribute("ID", id) +
                                 XmlAttribute("IssueInstant", FormatUtc(answer.now)) +
                                 XmlAttribute("Version", "2.0");
  DT_ASSIGN_OR_RETURN(
      const std::string assertion,
      SignedElement("saml:Assertion", attributes, TextElement("saml:Issuer", answer.idp_entity_id),
                    SubjectElement(answer, subject.name_id_format, name_id) + Conditions(answer) +
                        AuthnStatement(subject) + AttributeStatement(subject.user),
                    id, signer));
  return SignedResponse(answer, Element("samlp:Status", "", StatusCode("Success", "")), assertion,
                        signer, random);
}

absl::StatusOr<std::string> BuildFailure(const Answer& answer, Failure failure,
                                         const pki::Identity& signer, Random& random) {
  std::string code;
  switch (failure) {
    case Failure::kNoPassive:
      code = StatusCode("Responder", StatusCode("NoPassive", ""));
      break;
    case Failure::kRequestDenied:
      code = StatusCode("Responder", StatusCode("RequestDenied", ""));
      break;
    case Failure::kInvalidNameIdPolicy:
      code = StatusCode("Requester", StatusCode("InvalidNameIDPolicy", ""));
      break;
    case Failure::kNoAuthnContext:
      code = StatusCode("Requester", StatusCode("NoAuthnContext", ""));
      break;
    case Failure::kUnknownPrincipal:
      code = StatusCode("Responder", StatusCode("UnknownPrincipal", ""));
      break;
    case Failure::kRequestUnsupported:
      code = StatusCode("Responder", StatusCode("RequestUnsupported", ""));
      break;
  }
  return SignedResponse(answer, Element("samlp:Status", "", code), "", signer, random);
}

}  // namespace devicetrust::saml
