#include "simulator/apps/wsfed_token.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/pki/certificate.h"
#include "simulator/apps/signature.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {
namespace {

constexpr std::string_view kSaml11 = "urn:oasis:names:tc:SAML:1.0:assertion";
constexpr std::string_view kTrust = "http://schemas.xmlsoap.org/ws/2005/02/trust";
constexpr std::string_view kAddressing = "http://www.w3.org/2005/08/addressing";
constexpr std::string_view kPolicy = "http://schemas.xmlsoap.org/ws/2004/09/policy";
constexpr std::string_view kFederation = "http://docs.oasis-open.org/wsfed/federation/200706";

absl::Status Demand(const std::string& found, const std::string& wanted, std::string_view what) {
  if (found == wanted) return absl::OkStatus();
  return absl::UnauthenticatedError(fmt::format("{} is \"{}\", not \"{}\"", what, found, wanted));
}

absl::Status DemandTime(Element element, const TokenRules& rules) {
  DT_ASSIGN_OR_RETURN(const WallTime begin, ParseUtc(element.Attribute("NotBefore").value_or("")));
  DT_ASSIGN_OR_RETURN(const WallTime end, ParseUtc(element.Attribute("NotOnOrAfter").value_or("")));
  if (rules.now + rules.skew < begin)
    return absl::UnauthenticatedError("the token is not valid yet");
  if (end <= rules.now - rules.skew) return absl::UnauthenticatedError("the token is over");
  return absl::OkStatus();
}

absl::Status DemandAudience(Element conditions, std::string_view ns, std::string_view restriction,
                            const TokenRules& rules) {
  DT_RETURN_IF_ERROR(DemandTime(conditions, rules));
  DT_ASSIGN_OR_RETURN(const Element audiences, conditions.Only(ns, restriction));
  DT_ASSIGN_OR_RETURN(const Element audience, audiences.Only(ns, "Audience"));
  return Demand(audience.Text(), rules.realm, "the audience");
}

absl::Status AddClaim(std::string name, Element attribute, std::string_view ns, Token& token) {
  if (token.claims.contains(name)) {
    return absl::InvalidArgumentError(fmt::format("the claim {} comes twice", name));
  }
  std::vector<std::string>& values = token.claims[std::move(name)];
  for (const Element value : attribute.Children(ns, "AttributeValue")) {
    values.push_back(value.Text());
  }
  return absl::OkStatus();
}

// SAML 1.1 core, section 2.4: every statement has a subject, and here all are the same.
absl::Status ReadSubject11(Element statement, Token& token) {
  DT_ASSIGN_OR_RETURN(const Element subject, statement.Only(kSaml11, "Subject"));
  DT_ASSIGN_OR_RETURN(const Element name, subject.Only(kSaml11, "NameIdentifier"));
  DT_ASSIGN_OR_RETURN(const Element confirmation, subject.Only(kSaml11, "SubjectConfirmation"));
  DT_ASSIGN_OR_RETURN(const Element method, confirmation.Only(kSaml11, "ConfirmationMethod"));
  if (method.Text() != "urn:oasis:names:tc:SAML:1.0:cm:bearer") {
    return absl::InvalidArgumentError("the subject is confirmed by another method than bearer");
  }
  if (!token.name.empty() && token.name != name.Text()) {
    return absl::InvalidArgumentError("the statements are about different subjects");
  }
  token.name = name.Text();
  return absl::OkStatus();
}

absl::StatusOr<Token> Read11(Element assertion, const TokenRules& rules) {
  Token token{assertion.Attribute("AssertionID").value_or(""), true, "", {}};
  if (assertion.Attribute("MajorVersion") != "1" || assertion.Attribute("MinorVersion") != "1") {
    return absl::InvalidArgumentError("the assertion is not of SAML 1.1");
  }
  DT_RETURN_IF_ERROR(
      Demand(assertion.Attribute("Issuer").value_or(""), rules.issuer, "the issuer"));
  DT_ASSIGN_OR_RETURN(const Element conditions, assertion.Only(kSaml11, "Conditions"));
  DT_RETURN_IF_ERROR(DemandAudience(conditions, kSaml11, "AudienceRestrictionCondition", rules));
  DT_ASSIGN_OR_RETURN(const Element authentication,
                      assertion.Only(kSaml11, "AuthenticationStatement"));
  DT_RETURN_IF_ERROR(ReadSubject11(authentication, token));
  for (const Element statement : assertion.Children(kSaml11, "AttributeStatement")) {
    DT_RETURN_IF_ERROR(ReadSubject11(statement, token));
    for (const Element attribute : statement.Children(kSaml11, "Attribute")) {
      DT_RETURN_IF_ERROR(
          AddClaim(fmt::format("{}/{}", attribute.Attribute("AttributeNamespace").value_or(""),
                               attribute.Attribute("AttributeName").value_or("")),
                   attribute, kSaml11, token));
    }
  }
  return token;
}

absl::StatusOr<Token> Read20(Element assertion, const TokenRules& rules) {
  Token token{assertion.Attribute("ID").value_or(""), false, "", {}};
  if (assertion.Attribute("Version") != "2.0") {
    return absl::InvalidArgumentError("the assertion is not of SAML 2.0");
  }
  DT_ASSIGN_OR_RETURN(const Element issuer, assertion.Only(kSamlNs, "Issuer"));
  DT_RETURN_IF_ERROR(Demand(issuer.Text(), rules.issuer, "the issuer"));
  DT_ASSIGN_OR_RETURN(const Element conditions, assertion.Only(kSamlNs, "Conditions"));
  DT_RETURN_IF_ERROR(DemandAudience(conditions, kSamlNs, "AudienceRestriction", rules));
  DT_ASSIGN_OR_RETURN(const Element subject, assertion.Only(kSamlNs, "Subject"));
  DT_ASSIGN_OR_RETURN(const Element name, subject.Only(kSamlNs, "NameID"));
  token.name = name.Text();
  DT_ASSIGN_OR_RETURN(const Element confirmation, subject.Only(kSamlNs, "SubjectConfirmation"));
  DT_ASSIGN_OR_RETURN(const Element data, confirmation.Only(kSamlNs, "SubjectConfirmationData"));
  DT_RETURN_IF_ERROR(
      Demand(data.Attribute("Recipient").value_or(""), rules.reply_url, "the recipient"));
  for (const Element statement : assertion.Children(kSamlNs, "AttributeStatement")) {
    for (const Element attribute : statement.Children(kSamlNs, "Attribute")) {
      DT_RETURN_IF_ERROR(
          AddClaim(attribute.Attribute("Name").value_or(""), attribute, kSamlNs, token));
    }
  }
  return token;
}

absl::StatusOr<std::string> AddressIn(Element container) {
  DT_ASSIGN_OR_RETURN(const Element reference, container.Only(kAddressing, "EndpointReference"));
  DT_ASSIGN_OR_RETURN(const Element address, reference.Only(kAddressing, "Address"));
  return address.Text();
}

absl::Status AddSigningKeys(Element role, std::vector<pki::PublicKey>& keys) {
  for (const Element key : role.Children(kMetadataNs, "KeyDescriptor")) {
    DT_ASSIGN_OR_RETURN(const Element info, key.Only(kDsNs, "KeyInfo"));
    DT_ASSIGN_OR_RETURN(const Element data, info.Only(kDsNs, "X509Data"));
    DT_ASSIGN_OR_RETURN(const Element certificate, data.Only(kDsNs, "X509Certificate"));
    DT_ASSIGN_OR_RETURN(const Bytes der, Base64Decode(certificate.Text()));
    DT_ASSIGN_OR_RETURN(const pki::Certificate parsed, pki::Certificate::FromDer(der));
    DT_ASSIGN_OR_RETURN(pki::PublicKey public_key, parsed.public_key());
    keys.push_back(std::move(public_key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Token> VerifyToken(std::string_view wresult, const TokenRules& rules) {
  DT_ASSIGN_OR_RETURN(const Document document, Document::Parse(wresult));
  const Element response = document.root();
  if (!response.Is(kTrust, "RequestSecurityTokenResponse")) {
    return absl::InvalidArgumentError("wresult is no RequestSecurityTokenResponse");
  }
  DT_ASSIGN_OR_RETURN(const Element applies_to, response.Only(kPolicy, "AppliesTo"));
  DT_ASSIGN_OR_RETURN(const std::string meant, AddressIn(applies_to));
  DT_RETURN_IF_ERROR(Demand(meant, rules.realm, "AppliesTo"));
  DT_ASSIGN_OR_RETURN(const Element requested, response.Only(kTrust, "RequestedSecurityToken"));
  const bool saml11 = !requested.Children(kSaml11, "Assertion").empty();
  const std::string_view ns = saml11 ? kSaml11 : kSamlNs;
  DT_ASSIGN_OR_RETURN(const Element assertion, requested.Only(ns, "Assertion"));
  if (document.Find(kSaml11, "Assertion").size() + document.Find(kSamlNs, "Assertion").size() !=
          1 ||
      document.Find(kDsNs, "Signature").size() != 1) {
    return absl::InvalidArgumentError("the answer has more than its one Assertion and Signature");
  }
  DT_RETURN_IF_ERROR(
      VerifySignature(document, assertion, rules.issuer_keys, saml11 ? "AssertionID" : "ID"));
  return saml11 ? Read11(assertion, rules) : Read20(assertion, rules);
}

absl::StatusOr<IssuerMetadata> ParseIssuerMetadata(std::string_view xml) {
  DT_ASSIGN_OR_RETURN(const Document document, Document::Parse(xml));
  const Element entity = document.root();
  if (!entity.Is(kMetadataNs, "EntityDescriptor")) {
    return absl::InvalidArgumentError("metadata is no EntityDescriptor");
  }
  DT_ASSIGN_OR_RETURN(const Element role, entity.Only(kMetadataNs, "RoleDescriptor"));
  IssuerMetadata metadata;
  metadata.entity_id = entity.Attribute("entityID").value_or("");
  DT_RETURN_IF_ERROR(AddSigningKeys(role, metadata.signing_keys));
  DT_RETURN_IF_ERROR(VerifySignature(document, entity, metadata.signing_keys));
  DT_ASSIGN_OR_RETURN(const Element passive, role.Only(kFederation, "PassiveRequestorEndpoint"));
  DT_ASSIGN_OR_RETURN(metadata.passive_url, AddressIn(passive));
  for (const Element active : role.Children(kFederation, "SecurityTokenServiceEndpoint")) {
    DT_ASSIGN_OR_RETURN(metadata.active_url, AddressIn(active));
  }
  if (metadata.entity_id.empty() || metadata.passive_url.empty()) {
    return absl::InvalidArgumentError("metadata lacks entity id or sign-on address");
  }
  return metadata;
}

}  // namespace devicetrust::simulator
