#include "libs/saml/message_writer.h"

#include <fmt/format.h>

#include "libs/base/random_id.h"
#include "libs/base/utc_time.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust::saml {

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

absl::StatusOr<std::string> IssuedElement(std::string_view name, std::string_view attributes,
                                          std::string_view issuer, std::string_view rest,
                                          std::string_view id, const pki::Identity* signer) {
  std::string unsigned_form = Element(name, attributes, fmt::format("{}{}", issuer, rest));
  if (signer == nullptr) return unsigned_form;
  DT_ASSIGN_OR_RETURN(const std::string signature, SignatureOf(unsigned_form, id, *signer));
  return Element(name, attributes, fmt::format("{}{}{}", issuer, signature, rest));
}

absl::StatusOr<std::string> ProtocolMessage(const MessageHead& head, std::string_view rest,
                                            const pki::Identity* signer) {
  std::string attributes = fmt::format(" xmlns:samlp=\"{}\"", kSamlpNs);
  attributes += XmlAttribute("Destination", head.destination) + XmlAttribute("ID", head.id);
  if (!head.in_response_to.empty()) attributes += XmlAttribute("InResponseTo", head.in_response_to);
  attributes += XmlAttribute("IssueInstant", FormatUtc(head.now));
  attributes += head.more_attributes;
  attributes += XmlAttribute("Version", "2.0");
  const std::string issuer = Element("saml:Issuer", SamlDeclaration(), EscapeXmlText(head.issuer));
  return IssuedElement(head.name, attributes, issuer, rest, head.id, signer);
}

std::string StatusElement(std::string_view code, std::string_view inner) {
  const auto element = [](std::string_view value, std::string_view content) {
    return Element(
        "samlp:StatusCode",
        XmlAttribute("Value", fmt::format("urn:oasis:names:tc:SAML:2.0:status:{}", value)),
        content);
  };
  return Element("samlp:Status", "", element(code, inner.empty() ? "" : element(inner, "")));
}

}  // namespace devicetrust::saml
