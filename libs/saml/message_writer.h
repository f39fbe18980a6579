// The writing of SAML messages. Elements are in exclusive canonical form from the start (namespace
// declarations, then attributes in order; no empty-element tags; see EscapeXml*): what is signed is
// what is sent, and no canonicalisation runs. Tests let xmlsec1 confirm it.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::saml {

absl::StatusOr<std::string> NewXmlId(Random& random);

// `attributes` and `content` are XML already; texts and values are escaped.
std::string Element(std::string_view name, std::string_view attributes, std::string_view content);
std::string TextElement(std::string_view name, std::string_view text);
std::string XmlAttribute(std::string_view name, std::string_view value);
std::string SamlDeclaration();

// An element whose signature stands between its Issuer and the rest; unsigned when `signer` is
// null.
absl::StatusOr<std::string> IssuedElement(std::string_view name, std::string_view attributes,
                                          std::string_view issuer, std::string_view rest,
                                          std::string_view id, const pki::Identity* signer);

// The head that all protocol messages share (SAML core, sections 3.2.1 and 3.2.2).
struct MessageHead {
  std::string_view name;  // "samlp:Response"
  std::string_view id;
  std::string_view issuer;
  std::string_view destination;
  std::string_view in_response_to;  // Empty: answers nothing.
  WallTime now;
  std::string_view more_attributes = {};  // XML; a NotOnOrAfter comes here.
};
absl::StatusOr<std::string> ProtocolMessage(const MessageHead& head, std::string_view rest,
                                            const pki::Identity* signer);

// samlp:Status with one code, and one inside it unless empty: "Responder", "NoPassive".
std::string StatusElement(std::string_view code, std::string_view inner);

}  // namespace devicetrust::saml
