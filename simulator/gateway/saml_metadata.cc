#include "simulator/gateway/saml_metadata.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "libs/base/encoding.h"
#include "libs/http/client.h"
#include "simulator/gateway/saml_request.h"
#include "simulator/gateway/xml.h"

namespace devicetrust::gateway {
namespace {

constexpr std::string_view kRedirectBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
constexpr std::string_view kMetadataPostBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
constexpr std::size_t kUrlBytesMax = 1024;
constexpr std::size_t kEntityIdBytesMax = 1024;  // SAML core, section 8.3.6.

absl::Status BadMetadata(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("service provider metadata: {}", why));
}

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" ||
         host == "[::1]";
}

absl::Status CheckAcsUrl(const std::string& url) {
  const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
  if (!parsed.ok() || url.size() > kUrlBytesMax || url.find('#') != std::string::npos ||
      (!parsed->https && !IsLoopback(parsed->host))) {
    return BadMetadata(
        fmt::format("the AssertionConsumerService {} must be an https URL, or http on loopback",
                    url.substr(0, kUrlBytesMax)));
  }
  return absl::OkStatus();
}

absl::Status ReadAcs(XmlElement descriptor, org::v1::SamlServiceProvider& provider) {
  std::set<int> indexes;
  for (const XmlElement& element : descriptor.Children(kMetadataNs, "AssertionConsumerService")) {
    if (element.Attribute("Binding") != kMetadataPostBinding) continue;
    const std::string location = element.Attribute("Location").value_or("");
    DT_RETURN_IF_ERROR(CheckAcsUrl(location));
    const std::string text = element.Attribute("index").value_or("0");
    int index = -1;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || stop != text.data() + text.size() || index < 0 || index > 65535 ||
        !indexes.insert(index).second) {
      return BadMetadata("each AssertionConsumerService needs an index of its own, 0 to 65535");
    }
    DT_ASSIGN_OR_RETURN(const bool is_default, element.BooleanAttribute("isDefault", false));
    org::v1::AssertionConsumerService* acs = provider.add_acs();
    acs->set_index(index);
    acs->set_url(location);
    acs->set_is_default(is_default);
  }
  if (provider.acs_size() == 0) {
    return BadMetadata("no AssertionConsumerService with the HTTP-POST binding");
  }
  return absl::OkStatus();
}

absl::Status ReadKeys(XmlElement descriptor, org::v1::SamlServiceProvider& provider) {
  for (const XmlElement& element : descriptor.Children(kMetadataNs, "KeyDescriptor")) {
    if (element.Attribute("use").value_or("signing") != "signing") continue;
    for (const XmlElement& info : element.Children(kDsigNs, "KeyInfo")) {
      for (const XmlElement& data : info.Children(kDsigNs, "X509Data")) {
        for (const XmlElement& certificate : data.Children(kDsigNs, "X509Certificate")) {
          std::string text = certificate.Text();
          std::erase_if(text,
                        [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
          const absl::StatusOr<Bytes> der = Base64Decode(text);
          if (!der.ok() || !pki::Certificate::FromDer(*der).ok()) {
            return BadMetadata("an X509Certificate is not a base64 DER certificate");
          }
          provider.add_signing_certificates_der(ToString(*der));
        }
      }
    }
  }
  return absl::OkStatus();
}

// The first SPSSODescriptor that speaks SAML 2.0.
absl::StatusOr<XmlElement> FindDescriptor(XmlElement entity) {
  for (const XmlElement& descriptor : entity.Children(kMetadataNs, "SPSSODescriptor")) {
    const std::string protocols = descriptor.Attribute("protocolSupportEnumeration").value_or("");
    if (protocols.find(kSamlpNs) != std::string::npos) return descriptor;
  }
  return BadMetadata("no SPSSODescriptor for SAML 2.0; is it the file of an identity provider?");
}

}  // namespace

absl::StatusOr<org::v1::SamlServiceProvider> ParseServiceProvider(std::string_view metadata) {
  if (metadata.starts_with("\xef\xbb\xbf")) metadata.remove_prefix(3);  // A byte order mark.
  const absl::StatusOr<XmlDocument> document =
      XmlDocument::Parse(metadata, {.bytes_max = kMetadataBytesMax, .comments_allowed = true});
  if (!document.ok()) return BadMetadata(std::string(document.status().message()));
  const XmlElement entity = document->root();
  if (!entity.Is(kMetadataNs, "EntityDescriptor")) {
    return BadMetadata("the root must be one md:EntityDescriptor");
  }
  org::v1::SamlServiceProvider provider;
  provider.set_entity_id(entity.Attribute("entityID").value_or(""));
  if (provider.entity_id().empty() || provider.entity_id().size() > kEntityIdBytesMax) {
    return BadMetadata("the EntityDescriptor needs an entityID of 1 to 1024 bytes");
  }
  DT_ASSIGN_OR_RETURN(const XmlElement descriptor, FindDescriptor(entity));
  DT_RETURN_IF_ERROR(ReadAcs(descriptor, provider));
  DT_RETURN_IF_ERROR(ReadKeys(descriptor, provider));
  DT_ASSIGN_OR_RETURN(const bool requests_signed,
                      descriptor.BooleanAttribute("AuthnRequestsSigned", false));
  if (requests_signed && provider.signing_certificates_der_size() == 0) {
    return BadMetadata("AuthnRequestsSigned without a KeyDescriptor: nothing could be verified");
  }
  provider.set_requests_signed(requests_signed);
  for (const XmlElement& format : descriptor.Children(kMetadataNs, "NameIDFormat")) {
    provider.add_name_id_formats(format.Text());
  }
  return provider;
}

std::string BuildIdpMetadata(const IdpDescription& idp) {
  std::string keys;
  for (const pki::Certificate& certificate : idp.signing_certificates) {
    keys += fmt::format(
        "    <md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{}\"><ds:X509Data>"
        "<ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</md:KeyDescriptor>\n",
        kDsigNs, Base64Encode(certificate.der()));
  }
  const auto service = [](std::string_view element, std::string_view binding,
                          std::string_view url) {
    return fmt::format("    <md:{} Binding=\"{}\" Location=\"{}\"/>\n", element, binding,
                       EscapeXmlAttribute(url));
  };
  std::string formats;
  for (const std::string_view format :
       {kNameIdUnspecified, kNameIdEmail, kNameIdPersistent, kNameIdTransient}) {
    formats += fmt::format("    <md:NameIDFormat>{}</md:NameIDFormat>\n", format);
  }
  // The order of the children is the schema's.
  return fmt::format(
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<md:EntityDescriptor xmlns:md=\"{}\" entityID=\"{}\">\n"
             "  <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\""
             " protocolSupportEnumeration=\"{}\">\n",
             kMetadataNs, EscapeXmlAttribute(idp.entity_id), kSamlpNs) +
         keys + formats + service("SingleSignOnService", kRedirectBinding, idp.sign_on_url) +
         service("SingleSignOnService", kMetadataPostBinding, idp.sign_on_url) +
         "  </md:IDPSSODescriptor>\n</md:EntityDescriptor>\n";
}

}  // namespace devicetrust::gateway
