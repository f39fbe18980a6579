#include "libs/wsfed/token.h"

#include <fmt/format.h>

#include <optional>

#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/base/utc_time.h"
#include "libs/directory/sid.h"
#include "libs/rpc/error.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"
#include "libs/wsfed/names.h"

// Assertions are written in exclusive canonical form from the start (namespace declarations, then
// attributes in order; no empty-element tags): what is signed is what is sent. Tests let xmlsec1
// confirm it.

namespace devicetrust::wsfed {
namespace {

using Party = org::v1::WsFedRelyingParty;
using saml::EscapeXmlAttribute;
using saml::EscapeXmlText;

constexpr std::string_view kClaims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
constexpr std::string_view kSoapClaims = "http://schemas.xmlsoap.org/claims";
constexpr std::string_view kUnspecifiedName =
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

std::string Element(std::string_view name, std::string_view attributes, std::string_view content) {
  return fmt::format("<{}{}>{}</{}>", name, attributes, content, name);
}

std::string TextElement(std::string_view name, std::string_view text) {
  return Element(name, "", EscapeXmlText(text));
}

std::string XmlAttribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, EscapeXmlAttribute(value));
}

// What a field of the user holds; without a value nothing.
std::vector<std::string> ValuesOf(const org::v1::User& user, org::v1::UserField field,
                                  std::string_view group_prefix) {
  const auto one = [](const std::string& value) {
    return value.empty() ? std::vector<std::string>() : std::vector<std::string>{value};
  };
  switch (field) {
    case org::v1::USER_FIELD_PRINCIPAL:
      return one(user.principal());
    case org::v1::USER_FIELD_EMAIL:
      return one(user.email());
    case org::v1::USER_FIELD_DISPLAY_NAME:
      return one(user.display_name());
    case org::v1::USER_FIELD_GIVEN_NAME:
      return one(user.given_name());
    case org::v1::USER_FIELD_SURNAME:
      return one(user.surname());
    case org::v1::USER_FIELD_ACCOUNT_NAME:
      return one(user.account_name());
    case org::v1::USER_FIELD_SID:
      return one(user.sid());
    case org::v1::USER_FIELD_USER_ID:
      return one(user.id());
    case org::v1::USER_FIELD_GROUPS: {
      std::vector<std::string> groups;
      for (const std::string& group : user.groups()) {
        if (group.starts_with(group_prefix)) groups.push_back(group);
      }
      return groups;
    }
    default:
      return {};
  }
}

std::vector<Claim> Office365Claims(const Subject& subject) {
  std::vector<Claim> claims = {
      {fmt::format("{}/UPN", kSoapClaims), {subject.user.principal()}},
      {"http://schemas.microsoft.com/LiveID/Federation/2008/05/ImmutableID",
       {ImmutableIdOf(subject.user)}},
  };
  if (subject.multi_factor) {
    claims.push_back({"http://schemas.microsoft.com/claims/authnmethodsreferences",
                      {"http://schemas.microsoft.com/claims/multipleauthn"}});
  }
  return claims;
}

std::vector<Claim> ChosenClaims(const Party& party, const org::v1::User& user) {
  std::vector<Claim> claims;
  for (const org::v1::AttributeMapping& mapping : party.attributes()) {
    claims.push_back(
        {mapping.name(), mapping.field() == org::v1::USER_FIELD_UNSPECIFIED
                             ? std::vector<std::string>{mapping.value()}
                             : ValuesOf(user, mapping.field(), mapping.group_prefix())});
  }
  return claims;
}

std::vector<Claim> GeneralClaims(const org::v1::User& user) {
  const auto claim = [&user](std::string_view where, std::string_view name,
                             org::v1::UserField field) {
    return Claim{fmt::format("{}/{}", where, name), ValuesOf(user, field, "")};
  };
  return {claim(kClaims, "upn", org::v1::USER_FIELD_PRINCIPAL),
          claim(kClaims, "emailaddress", org::v1::USER_FIELD_EMAIL),
          claim(kClaims, "name", org::v1::USER_FIELD_DISPLAY_NAME),
          claim(kClaims, "givenname", org::v1::USER_FIELD_GIVEN_NAME),
          claim(kClaims, "surname", org::v1::USER_FIELD_SURNAME),
          claim(kSoapClaims, "Group", org::v1::USER_FIELD_GROUPS)};
}

std::string SubjectName(const Party& party, const org::v1::User& user) {
  return party.claims() == Party::CLAIMS_OFFICE_365 ? ImmutableIdOf(user) : user.principal();
}

// As relying parties of Active Directory Federation Services know it, in tokens of both kinds.
constexpr std::string_view kByTicket = "urn:federation:authentication:windows";

std::string NotBefore(const Answer& answer) {
  return XmlAttribute("NotBefore", FormatUtc(answer.now - kTokenBackdate));
}
std::string NotOnOrAfter(const Answer& answer) {
  return XmlAttribute("NotOnOrAfter", FormatUtc(answer.now + kTokenLifetime));
}

// SAML 1.1, from the first child on and without the signature, which comes last.
std::string Content11(const Answer& answer, const Party& party, const Subject& person) {
  const std::string conditions =
      Element("saml:Conditions", NotBefore(answer) + NotOnOrAfter(answer),
              Element("saml:AudienceRestrictionCondition", "",
                      TextElement("saml:Audience", party.realm())));
  const std::string subject = Element(
      "saml:Subject", "",
      Element("saml:NameIdentifier", XmlAttribute("Format", kUnspecifiedName),
              EscapeXmlText(SubjectName(party, person.user))) +
          Element("saml:SubjectConfirmation", "",
                  TextElement("saml:ConfirmationMethod", "urn:oasis:names:tc:SAML:1.0:cm:bearer")));
  std::string attributes;
  for (const Claim& claim : ClaimsOf(party, person)) {
    std::string values;
    for (const std::string& value : claim.values) {
      values += TextElement("saml:AttributeValue", value);
    }
    const std::size_t slash = claim.name.rfind('/');
    attributes += Element("saml:Attribute",
                          XmlAttribute("AttributeName", claim.name.substr(slash + 1)) +
                              XmlAttribute("AttributeNamespace", claim.name.substr(0, slash)),
                          values);
  }
  std::string statements;
  // The schema has no statement without an attribute.
  if (!attributes.empty()) {
    statements = Element("saml:AttributeStatement", "", subject + attributes);
  }
  statements += Element(
      "saml:AuthenticationStatement",
      XmlAttribute("AuthenticationInstant", FormatUtc(person.authenticated_at)) +
          XmlAttribute("AuthenticationMethod",
                       person.by_ticket ? kByTicket : "urn:oasis:names:tc:SAML:1.0:am:password"),
      subject);
  return conditions + statements;
}

absl::StatusOr<std::string> Saml11Token(const Answer& answer, const Party& party,
                                        const Subject& subject, const std::string& id,
                                        const pki::Identity& signer) {
  const std::string attributes =
      XmlAttribute("xmlns:saml", kSaml11Ns) + XmlAttribute("AssertionID", id) +
      XmlAttribute("IssueInstant", FormatUtc(answer.now)) + XmlAttribute("Issuer", answer.issuer) +
      XmlAttribute("MajorVersion", "1") + XmlAttribute("MinorVersion", "1");
  const std::string content = Content11(answer, party, subject);
  DT_ASSIGN_OR_RETURN(
      const std::string signature,
      saml::SignatureOf(Element("saml:Assertion", attributes, content), id, signer));
  return Element("saml:Assertion", attributes, content + signature);
}

// SAML 2.0, what follows the issuer and the signature.
std::string Content20(const Answer& answer, const Party& party, const Subject& person) {
  std::string data = NotOnOrAfter(answer);
  // Relying parties want it to be their reply URL.
  if (!answer.reply_url.empty()) data += XmlAttribute("Recipient", answer.reply_url);
  const std::string subject =
      Element("saml:Subject", "",
              Element("saml:NameID", XmlAttribute("Format", kUnspecifiedName),
                      EscapeXmlText(SubjectName(party, person.user))) +
                  Element("saml:SubjectConfirmation",
                          XmlAttribute("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer"),
                          Element("saml:SubjectConfirmationData", data, "")));
  const std::string conditions =
      Element("saml:Conditions", NotBefore(answer) + NotOnOrAfter(answer),
              Element("saml:AudienceRestriction", "", TextElement("saml:Audience", party.realm())));
  const std::string authentication = Element(
      "saml:AuthnStatement", XmlAttribute("AuthnInstant", FormatUtc(person.authenticated_at)),
      Element("saml:AuthnContext", "",
              TextElement("saml:AuthnContextClassRef",
                          person.by_ticket ? kByTicket
                                           : "urn:oasis:names:tc:SAML:2.0:ac:classes:"
                                             "PasswordProtectedTransport")));
  std::string attributes;
  for (const Claim& claim : ClaimsOf(party, person)) {
    std::string values;
    for (const std::string& value : claim.values) {
      values += TextElement("saml:AttributeValue", value);
    }
    attributes +=
        Element("saml:Attribute",
                XmlAttribute("Name", claim.name) +
                    XmlAttribute("NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"),
                values);
  }
  if (!attributes.empty()) attributes = Element("saml:AttributeStatement", "", attributes);
  return subject + conditions + authentication + attributes;
}

absl::StatusOr<std::string> Saml20Token(const Answer& answer, const Party& party,
                                        const Subject& subject, const std::string& id,
                                        const pki::Identity& signer) {
  const std::string attributes =
      XmlAttribute("xmlns:saml", saml::kSamlNs) + XmlAttribute("ID", id) +
      XmlAttribute("IssueInstant", FormatUtc(answer.now)) + XmlAttribute("Version", "2.0");
  const std::string issuer = TextElement("saml:Issuer", answer.issuer);
  const std::string content = Content20(answer, party, subject);
  DT_ASSIGN_OR_RETURN(
      const std::string signature,
      saml::SignatureOf(Element("saml:Assertion", attributes, issuer + content), id, signer));
  return Element("saml:Assertion", attributes, issuer + signature + content);
}

}  // namespace

std::string ImmutableIdOf(const org::v1::User& user) {
  const absl::StatusOr<Bytes> binary = directory::SidFromText(user.sid());
  return binary.ok() ? Base64Encode(*binary) : "";
}

std::vector<Claim> ClaimsOf(const Party& party, const Subject& subject) {
  std::vector<Claim> claims = party.claims() == Party::CLAIMS_OFFICE_365 ? Office365Claims(subject)
                              : party.attributes().empty() ? GeneralClaims(subject.user)
                                                           : ChosenClaims(party, subject.user);
  std::erase_if(claims, [](const Claim& claim) {
    return claim.values.empty() || claim.values.front().empty();
  });
  return claims;
}

absl::StatusOr<std::string> BuildToken(const Answer& answer, const Party& party,
                                       const Subject& subject, const pki::Identity& signer,
                                       Random& random) {
  // Two people without one would be the same person there.
  if (SubjectName(party, subject.user).empty()) {
    return rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_USER_NOT_IN_DOMAIN,
        "the user has no SID, of which the name for this app is made", subject.user.principal(),
        "Import the user with the SID of the account in Active Directory.");
  }
  DT_ASSIGN_OR_RETURN(const std::string hex, NewRandomHex(20, random));
  const std::string id = "_" + hex;  // An xs:ID may not begin with a digit.
  if (answer.token_type == Party::TOKEN_TYPE_SAML_2_0) {
    return Saml20Token(answer, party, subject, id, signer);
  }
  return Saml11Token(answer, party, subject, id, signer);
}

std::string BuildTokenResponse(std::string_view trust_ns, const Answer& answer,
                               std::string_view realm, std::string_view token) {
  const std::string lifetime =
      Element("wsu:Created", XmlAttribute("xmlns:wsu", kUtilityNs), FormatUtc(answer.now)) +
      Element("wsu:Expires", XmlAttribute("xmlns:wsu", kUtilityNs),
              FormatUtc(answer.now + kTokenLifetime));
  const std::string applies_to =
      Element("wsp:AppliesTo", XmlAttribute("xmlns:wsp", kPolicyNs),
              Element("wsa:EndpointReference", XmlAttribute("xmlns:wsa", kAddressingNs),
                      TextElement("wsa:Address", realm)));
  const bool saml2 = answer.token_type == Party::TOKEN_TYPE_SAML_2_0;
  return Element(
      "t:RequestSecurityTokenResponse", XmlAttribute("xmlns:t", trust_ns),
      Element("t:Lifetime", "", lifetime) + applies_to +
          Element("t:RequestedSecurityToken", "", token) +
          TextElement("t:TokenType", saml2 ? saml::kSamlNs : kSaml11Ns) +
          TextElement("t:RequestType", fmt::format("{}/Issue", trust_ns)) +
          TextElement("t:KeyType", trust_ns == kTrust13Ns
                                       ? fmt::format("{}/Bearer", trust_ns)
                                       : std::string("http://schemas.xmlsoap.org/ws/2005/05/"
                                                     "identity/NoProofKey")));
}

}  // namespace devicetrust::wsfed
