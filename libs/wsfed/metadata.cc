#include "libs/wsfed/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/http/url.h"
#include "libs/pki/digest.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"
#include "libs/wsfed/names.h"

namespace devicetrust::wsfed {
namespace {

using saml::EscapeXmlAttribute;
using saml::EscapeXmlText;
using saml::XmlElement;

constexpr std::string_view kInstanceNs = "http://www.w3.org/2001/XMLSchema-instance";
constexpr std::string_view kAuthorizationNs =
    "http://docs.oasis-open.org/wsfed/authorization/200706";
// A file that an administrator registers: of a federation's size, not of a stranger's making.
constexpr saml::XmlLimits kMetadataLimits{.bytes_max = kMetadataBytesMax,
                                          .elements_max = 10'000,
                                          .depth_max = 50,
                                          .attributes_max = 10'000,
                                          .namespaces_max = 1000,
                                          .name_bytes_max = 256,
                                          .namespace_bytes_max = 1024,
                                          .comments_allowed = true};
constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kRealmBytesMax = 1024;
constexpr std::size_t kNameBytesMax = 200;
constexpr std::size_t kReplyUrlsMax = 64;

absl::Status BadMetadata(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("relying party metadata: {}", why));
}

absl::Status CheckValidUntil(XmlElement element, WallTime now) {
  const std::optional<std::string> text = element.TrimmedAttribute("validUntil");
  if (!text) return absl::OkStatus();
  const absl::StatusOr<WallTime> until = ParseUtc(*text);
  if (!until.ok()) return BadMetadata("validUntil must be like 2026-01-02T03:04:05Z");
  if (now < *until) return absl::OkStatus();
  return BadMetadata(fmt::format("it was valid until {}; get the file anew", FormatUtc(*until)));
}

// The first role whose type is "fed:ApplicationServiceType", whatever the prefix.
absl::StatusOr<XmlElement> FindRole(XmlElement entity) {
  for (const XmlElement& role : entity.Children(saml::kMetadataNs, "RoleDescriptor")) {
    const std::string type = role.AttributeOf(kInstanceNs, "type").value_or("");
    if (type.substr(type.find(':') + 1) == "ApplicationServiceType") return role;
  }
  return BadMetadata(
      "no RoleDescriptor of the type fed:ApplicationServiceType; is it the file of an identity "
      "provider, or of a SAML app?");
}

// Addresses of the EndpointReferences in `container`.
absl::Status AddAddresses(XmlElement container, std::vector<std::string>& addresses) {
  for (const XmlElement& reference : container.Children(kAddressingNs, "EndpointReference")) {
    DT_ASSIGN_OR_RETURN(const auto address, reference.Child(kAddressingNs, "Address"));
    if (!address || address->Text().empty())
      return BadMetadata("an EndpointReference has no Address");
    addresses.push_back(address->Text());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> AddressesOf(XmlElement role, std::string_view name) {
  std::vector<std::string> addresses;
  for (const XmlElement& container : role.Children(kFederationNs, name)) {
    DT_RETURN_IF_ERROR(AddAddresses(container, addresses));
  }
  return addresses;
}

absl::Status CheckReplyUrl(const std::string& url) {
  const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
  if (parsed.ok() && url.size() <= kUrlBytesMax && url.find('#') == std::string::npos &&
      (parsed->https || parsed->IsLoopback())) {
    return absl::OkStatus();
  }
  return BadMetadata(
      fmt::format("the PassiveRequestorEndpoint {} must be an https URL, or http on "
                  "loopback",
                  url.substr(0, kUrlBytesMax)));
}

std::string KeyDescriptor(const pki::Certificate& certificate) {
  return fmt::format(
      "<KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"{}\"><X509Data><X509Certificate>{}"
      "</X509Certificate></X509Data></KeyInfo></KeyDescriptor>",
      saml::kDsigNs, Base64Encode(certificate.der()));
}

std::string Endpoint(std::string_view name, std::string_view url) {
  return fmt::format(
      "<fed:{0}><EndpointReference xmlns=\"{1}\"><Address>{2}</Address></EndpointReference>"
      "</fed:{0}>",
      name, kAddressingNs, EscapeXmlText(url));
}

std::string ClaimTypesOffered() {
  struct Offered {
    std::string_view uri, name;
  };
  static constexpr std::array<Offered, 6> kOffered = {{
      {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "UPN"},
      {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "E-mail address"},
      {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "Name"},
      {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "Given name"},
      {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "Surname"},
      {"http://schemas.xmlsoap.org/claims/Group", "Group"},
  }};
  std::string types;
  for (const Offered& offered : kOffered) {
    types += fmt::format(
        "<auth:ClaimType Uri=\"{}\" Optional=\"true\" xmlns:auth=\"{}\"><auth:DisplayName>{}"
        "</auth:DisplayName></auth:ClaimType>",
        offered.uri, kAuthorizationNs, offered.name);
  }
  return fmt::format("<fed:ClaimTypesOffered>{}</fed:ClaimTypesOffered>", types);
}

std::string Role(const ServiceDescription& service) {
  std::string keys;
  for (const pki::Certificate& certificate : service.signing_certificates) {
    keys += KeyDescriptor(certificate);
  }
  return fmt::format(
             "<RoleDescriptor xsi:type=\"fed:SecurityTokenServiceType\""
             " protocolSupportEnumeration=\"{0}\" ServiceDisplayName=\"{1}\" xmlns:xsi=\"{2}\""
             " xmlns:fed=\"{0}\">",
             kFederationNs, EscapeXmlAttribute(service.name), kInstanceNs) +
         keys +
         fmt::format(
             "<fed:TokenTypesOffered><fed:TokenType Uri=\"{}\"/><fed:TokenType Uri=\"{}\"/>"
             "</fed:TokenTypesOffered>",
             kSaml11Ns, saml::kSamlNs) +
         ClaimTypesOffered() + Endpoint("SecurityTokenServiceEndpoint", service.active_url) +
         Endpoint("PassiveRequestorEndpoint", service.passive_url) + "</RoleDescriptor>";
}

}  // namespace

absl::StatusOr<RelyingPartyMetadata> ParseRelyingParty(std::string_view metadata, WallTime now) {
  const absl::StatusOr<saml::XmlDocument> document =
      saml::XmlDocument::Parse(metadata, kMetadataLimits);
  if (!document.ok()) return BadMetadata(std::string(document.status().message()));
  const XmlElement entity = document->root();
  if (!entity.Is(saml::kMetadataNs, "EntityDescriptor")) {
    return BadMetadata("the root must be one EntityDescriptor");
  }
  DT_RETURN_IF_ERROR(CheckValidUntil(entity, now));
  DT_ASSIGN_OR_RETURN(const XmlElement role, FindRole(entity));
  DT_RETURN_IF_ERROR(CheckValidUntil(role, now));
  RelyingPartyMetadata read;
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> scopes, AddressesOf(role, "TargetScopes"));
  read.party.set_realm(!scopes.empty() ? scopes.front()
                                       : entity.TrimmedAttribute("entityID").value_or(""));
  if (read.party.realm().empty() || read.party.realm().size() > kRealmBytesMax) {
    return BadMetadata("it needs an entityID, or a TargetScope, of 1 to 1024 bytes");
  }
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> replies,
                      AddressesOf(role, "PassiveRequestorEndpoint"));
  for (const std::string& url : replies) {
    DT_RETURN_IF_ERROR(CheckReplyUrl(url));
    if (std::ranges::count(read.party.reply_urls(), url) == 0) read.party.add_reply_urls(url);
  }
  if (read.party.reply_urls().empty() ||
      read.party.reply_urls_size() > static_cast<int>(kReplyUrlsMax)) {
    return BadMetadata(
        fmt::format("it needs 1 to {} PassiveRequestorEndpoints: where tokens go", kReplyUrlsMax));
  }
  std::string name = role.Attribute("ServiceDisplayName").value_or("");
  std::erase_if(name, IsControl);
  read.display_name = CutText(name, kNameBytesMax);
  return read;
}

absl::StatusOr<std::string> BuildFederationMetadata(const ServiceDescription& service,
                                                    const pki::Identity& signer) {
  const std::string role = Role(service);
  const std::string id = "_" + HexEncode(pki::Sha256(service.entity_id + role));
  const auto entity = [&](std::string_view signature) {
    return fmt::format(
        "<EntityDescriptor ID=\"{}\" entityID=\"{}\" xmlns=\"{}\">{}{}"
        "</EntityDescriptor>",
        id, EscapeXmlAttribute(service.entity_id), saml::kMetadataNs, signature, role);
  };
  // The type of the role is a QName, whose prefix an exclusive canonical form leaves out where only
  // that uses it. So the form is not what is sent, as it is elsewhere.
  DT_ASSIGN_OR_RETURN(const saml::XmlDocument document,
                      saml::XmlDocument::Parse(entity(""), kMetadataLimits));
  DT_ASSIGN_OR_RETURN(const std::string canonical,
                      saml::Canonicalize(document, document.root(), std::nullopt));
  DT_ASSIGN_OR_RETURN(const std::string signature, saml::SignatureOf(canonical, id, signer));
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>" + entity(signature);
}

}  // namespace devicetrust::wsfed
