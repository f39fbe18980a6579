#include "libs/saml/response.h"

#include <fmt/format.h>

#include "libs/base/utc_time.h"
#include "libs/saml/encryption.h"
#include "libs/saml/message_writer.h"
#include "libs/saml/xml.h"

namespace devicetrust::saml {
namespace {

std::string AttributeStatement(const std::vector<Attribute>& attributes) {
  if (attributes.empty()) return {};  // The schema wants one at least.
  std::string content;
  for (const Attribute& attribute : attributes) {
    std::string values;
    for (const std::string& value : attribute.values) {
      values += TextElement("saml:AttributeValue", value);
    }
    content += Element(
        "saml:Attribute",
        XmlAttribute("Name", attribute.name) + XmlAttribute("NameFormat", attribute.name_format),
        values);
  }
  return Element("saml:AttributeStatement", "", content);
}

std::string SubjectElement(const Answer& answer, const NameId& name_id) {
  const std::string name =
      Element("saml:NameID", XmlAttribute("Format", name_id.format), EscapeXmlText(name_id.value));
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
                          subject.by_ticket ? "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"
                                            : "urn:oasis:names:tc:SAML:2.0:ac:classes:"
                                              "PasswordProtectedTransport")));
}

absl::StatusOr<std::string> ResponseMessage(const Answer& answer, std::string_view content,
                                            const pki::Identity* signer, Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string id, NewXmlId(random));
  return ProtocolMessage({"samlp:Response", id, answer.idp_entity_id, answer.acs_url,
                          answer.in_response_to, answer.now},
                         content, signer);
}

absl::StatusOr<std::string> AssertionElement(const Answer& answer, const Subject& subject,
                                             const org::v1::SamlServiceProvider& provider,
                                             const pki::Identity* signer, Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string id, NewXmlId(random));
  const std::string attributes = SamlDeclaration() + XmlAttribute("ID", id) +
                                 XmlAttribute("IssueInstant", FormatUtc(answer.now)) +
                                 XmlAttribute("Version", "2.0");
  return IssuedElement(
      "saml:Assertion", attributes, TextElement("saml:Issuer", answer.idp_entity_id),
      SubjectElement(answer, subject.name_id) + Conditions(answer) + AuthnStatement(subject) +
          AttributeStatement(AttributesOf(subject.user, provider)),
      id, signer);
}

struct SignedParts {
  bool response;
  bool assertion;
};

SignedParts SignedPartsOf(const org::v1::SamlServiceProvider& provider) {
  switch (provider.settings().signed_part()) {
    case org::v1::SAML_SIGNED_PART_RESPONSE:
      return {true, false};
    case org::v1::SAML_SIGNED_PART_ASSERTION:
      return {false, true};
    case org::v1::SAML_SIGNED_PART_BOTH:
      return {true, true};
    default:
      // One signature covers all either way, and is most of what a sign-on costs.
      return {!provider.wants_assertions_signed(), provider.wants_assertions_signed()};
  }
}

}  // namespace

bool Encrypts(const org::v1::SamlServiceProvider& provider) {
  return provider.has_encryption_key() &&
         provider.settings().encryption() != org::v1::SAML_ENCRYPTION_NEVER;
}

absl::StatusOr<std::string> BuildResponse(const Answer& answer, const Subject& subject,
                                          const org::v1::SamlServiceProvider& provider,
                                          const pki::Identity& signer, Random& random) {
  SignedParts parts = SignedPartsOf(provider);
  const auto signer_if = [&signer](bool signs) { return signs ? &signer : nullptr; };
  DT_ASSIGN_OR_RETURN(std::string assertion, AssertionElement(answer, subject, provider,
                                                              signer_if(parts.assertion), random));
  if (Encrypts(provider)) {
    const org::v1::SamlEncryptionKey& key = provider.encryption_key();
    DT_ASSIGN_OR_RETURN(const EncryptionChoice choice, ChooseEncryption(key));
    parts.response = parts.response || choice.needs_signature_outside;
    DT_ASSIGN_OR_RETURN(assertion, EncryptAssertion(assertion, key, random));
  }
  return ResponseMessage(answer, StatusElement("Success", "") + assertion,
                         signer_if(parts.response), random);
}

absl::StatusOr<std::string> BuildFailure(const Answer& answer, Failure failure,
                                         const pki::Identity& signer, Random& random) {
  std::string status;
  switch (failure) {
    case Failure::kNoPassive:
      status = StatusElement("Responder", "NoPassive");
      break;
    case Failure::kRequestDenied:
      status = StatusElement("Responder", "RequestDenied");
      break;
    case Failure::kInvalidNameIdPolicy:
      status = StatusElement("Requester", "InvalidNameIDPolicy");
      break;
    case Failure::kNoAuthnContext:
      status = StatusElement("Requester", "NoAuthnContext");
      break;
    case Failure::kNoSupportedIdp:
      status = StatusElement("Requester", "NoSupportedIDP");
      break;
    case Failure::kUnknownPrincipal:
      status = StatusElement("Responder", "UnknownPrincipal");
      break;
    case Failure::kRequestUnsupported:
      status = StatusElement("Responder", "RequestUnsupported");
      break;
    case Failure::kUnsupportedBinding:
      status = StatusElement("Requester", "UnsupportedBinding");
      break;
    case Failure::kVersionMismatch:
      status = StatusElement("VersionMismatch", "");
      break;
  }
  return ResponseMessage(answer, status, &signer, random);
}

}  // namespace devicetrust::saml
