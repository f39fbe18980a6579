#include "libs/saml/metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/http/client.h"
#include "libs/saml/subject_name.h"
#include "libs/saml/xml.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust::saml {
namespace {

constexpr std::string_view kRedirectBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
constexpr std::string_view kMetadataPostBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
constexpr std::string_view kUiNs = "urn:oasis:names:tc:SAML:metadata:ui";
constexpr std::string_view kAlgorithmNs = "urn:oasis:names:tc:SAML:metadata:algsupport";
// A file that an administrator registers: of a federation's size, not of a stranger's making.
constexpr XmlLimits kMetadataLimits{.bytes_max = kMetadataBytesMax,
                                    .elements_max = 10'000,
                                    .depth_max = 50,
                                    .attributes_max = 10'000,
                                    .namespaces_max = 1000,
                                    .name_bytes_max = 256,
                                    .namespace_bytes_max = 1024,
                                    .comments_allowed = true};
constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kEntityIdBytesMax = 1024;  // SAML core, section 8.3.6.

absl::Status BadMetadata(std::string_view why) {
  return absl::InvalidArgumentError(fmt::format("service provider metadata: {}", why));
}

absl::Status CheckServiceUrl(std::string_view service, const std::string& url) {
  const absl::StatusOr<http::Url> parsed = http::ParseUrl(url);
  if (!parsed.ok() || url.size() > kUrlBytesMax || url.find('#') != std::string::npos ||
      (!parsed->https && !parsed->IsLoopback())) {
    return BadMetadata(fmt::format("the {} {} must be an https URL, or http on loopback", service,
                                   url.substr(0, kUrlBytesMax)));
  }
  return absl::OkStatus();
}

// Marks the first that says to be the default; when none does, the first that does not say to
// be none; else the first (SAML metadata, section 2.2.3).
void MarkDefault(const std::vector<std::optional<bool>>& said,
                 org::v1::SamlServiceProvider& provider) {
  auto chosen = std::find(said.begin(), said.end(), std::optional(true));
  if (chosen == said.end()) chosen = std::find(said.begin(), said.end(), std::nullopt);
  if (chosen == said.end()) chosen = said.begin();
  provider.mutable_acs(static_cast<int>(chosen - said.begin()))->set_is_default(true);
}

absl::Status ReadAcs(XmlElement descriptor, org::v1::SamlServiceProvider& provider) {
  std::set<int> indexes;
  std::vector<std::optional<bool>> defaults;
  for (const XmlElement& element : descriptor.Children(kMetadataNs, "AssertionConsumerService")) {
    if (element.TrimmedAttribute("Binding") != kMetadataPostBinding) continue;
    const std::string location = element.TrimmedAttribute("Location").value_or("");
    DT_RETURN_IF_ERROR(CheckServiceUrl("AssertionConsumerService", location));
    const std::string text = element.TrimmedAttribute("index").value_or("0");
    int index = -1;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || stop != text.data() + text.size() || index < 0 || index > 65535 ||
        !indexes.insert(index).second) {
      return BadMetadata("each AssertionConsumerService needs an index of its own, 0 to 65535");
    }
    DT_ASSIGN_OR_RETURN(const bool is_default, element.BooleanAttribute("isDefault", false));
    defaults.push_back(element.Attribute("isDefault") ? std::optional(is_default) : std::nullopt);
    org::v1::AssertionConsumerService* acs = provider.add_acs();
    acs->set_index(index);
    acs->set_url(location);
  }
  if (provider.acs_size() == 0) {
    return BadMetadata("no AssertionConsumerService with the HTTP-POST binding");
  }
  MarkDefault(defaults, provider);
  return absl::OkStatus();
}

absl::StatusOr<pki::Certificate> CertificateOf(XmlElement element) {
  std::string text = element.Text();
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  const absl::StatusOr<Bytes> der = Base64Decode(text);
  absl::StatusOr<pki::Certificate> certificate =
      der.ok() ? pki::Certificate::FromDer(*der) : der.status();
  if (!certificate.ok()) {
    return BadMetadata("an X509Certificate is not a base64 DER certificate");
  }
  return certificate;
}

// Of a KeyDescriptor. Providers list keys for others too, of kinds that are of no use here.
absl::StatusOr<std::vector<pki::Certificate>> CertificatesOf(XmlElement descriptor) {
  std::vector<pki::Certificate> certificates;
  for (const XmlElement& info : descriptor.Children(kDsigNs, "KeyInfo")) {
    for (const XmlElement& data : info.Children(kDsigNs, "X509Data")) {
      for (const XmlElement& listed : data.Children(kDsigNs, "X509Certificate")) {
        DT_ASSIGN_OR_RETURN(pki::Certificate certificate, CertificateOf(listed));
        if (certificate.public_key().ok()) certificates.push_back(std::move(certificate));
      }
    }
  }
  return certificates;
}

absl::Status AddSigningKeys(const std::vector<pki::Certificate>& certificates,
                            org::v1::SamlServiceProvider& provider) {
  for (const pki::Certificate& certificate : certificates) {
    if (provider.signing_certificates_der_size() == static_cast<int>(kSigningKeysMax)) {
      return BadMetadata(fmt::format("more than {} signing keys", kSigningKeysMax));
    }
    provider.add_signing_certificates_der(ToString(certificate.der()));
  }
  return absl::OkStatus();
}

// The first RSA key of all counts: whoever has two reads by both.
absl::Status SetEncryptionKey(XmlElement descriptor,
                              const std::vector<pki::Certificate>& certificates,
                              org::v1::SamlServiceProvider& provider) {
  if (provider.has_encryption_key()) return absl::OkStatus();
  const auto rsa = std::ranges::find_if(certificates, [](const pki::Certificate& each) {
    return each.public_key()->type() == pki::KeyType::kRsa2048;
  });
  if (rsa == certificates.end()) return absl::OkStatus();
  org::v1::SamlEncryptionKey& key = *provider.mutable_encryption_key();
  key.set_certificate_der(ToString(rsa->der()));
  for (const XmlElement& method : descriptor.Children(kMetadataNs, "EncryptionMethod")) {
    if (key.methods_size() == static_cast<int>(kEncryptionMethodsMax)) {
      return BadMetadata(fmt::format("more than {} EncryptionMethods", kEncryptionMethodsMax));
    }
    key.add_methods(method.TrimmedAttribute("Algorithm").value_or(""));
  }
  return absl::OkStatus();
}

// Without a use, a key is for both (SAML metadata, section 2.4.1.1).
absl::Status ReadKeys(XmlElement descriptor, org::v1::SamlServiceProvider& provider) {
  for (const XmlElement& element : descriptor.Children(kMetadataNs, "KeyDescriptor")) {
    const std::string use = element.TrimmedAttribute("use").value_or("");
    DT_ASSIGN_OR_RETURN(const std::vector<pki::Certificate> certificates, CertificatesOf(element));
    if (use.empty() || use == "signing") {
      DT_RETURN_IF_ERROR(AddSigningKeys(certificates, provider));
    }
    if (use.empty() || use == "encryption") {
      DT_RETURN_IF_ERROR(SetEncryptionKey(element, certificates, provider));
    }
  }
  return absl::OkStatus();
}

// Those with a binding that we speak.
absl::Status ReadSingleLogout(XmlElement descriptor, org::v1::SamlServiceProvider& provider) {
  for (const XmlElement& element : descriptor.Children(kMetadataNs, "SingleLogoutService")) {
    const std::string binding = element.TrimmedAttribute("Binding").value_or("");
    const bool post = binding == kMetadataPostBinding;
    if (!post && binding != kRedirectBinding) continue;
    if (provider.single_logout_size() == static_cast<int>(kLogoutServicesMax)) {
      return BadMetadata(fmt::format("more than {} SingleLogoutServices", kLogoutServicesMax));
    }
    org::v1::SingleLogoutService& service = *provider.add_single_logout();
    service.set_binding(post ? org::v1::SAML_BINDING_POST : org::v1::SAML_BINDING_REDIRECT);
    service.set_url(element.TrimmedAttribute("Location").value_or(""));
    service.set_response_url(element.TrimmedAttribute("ResponseLocation").value_or(""));
    DT_RETURN_IF_ERROR(CheckServiceUrl("SingleLogoutService", service.url()));
    if (service.response_url().empty()) continue;
    DT_RETURN_IF_ERROR(CheckServiceUrl("SingleLogoutService", service.response_url()));
  }
  return absl::OkStatus();
}

// An entity's or a role's (SAML metadata, sections 2.3.2 and 2.4.1).
absl::Status CheckValidUntil(XmlElement element, WallTime now) {
  const std::optional<std::string> text = element.TrimmedAttribute("validUntil");
  if (!text) return absl::OkStatus();
  const absl::StatusOr<WallTime> until = ParseUtc(*text);
  if (!until.ok()) return BadMetadata("validUntil must be like 2026-01-02T03:04:05Z");
  if (now < *until) return absl::OkStatus();
  return BadMetadata(fmt::format("it was valid until {}; get the file anew", FormatUtc(*until)));
}

// White space of any kind becomes one blank; other controls go.
std::string InOneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (!line.ends_with(' ')) line += ' ';
    } else if (!IsControl(c)) {
      line += c;
    }
  }
  return line;
}

std::string DisplayNameOf(XmlElement descriptor) {
  std::string name;
  for (const XmlElement& extensions : descriptor.Children(kMetadataNs, "Extensions")) {
    for (const XmlElement& info : extensions.Children(kUiNs, "UIInfo")) {
      for (const XmlElement& each : info.Children(kUiNs, "DisplayName")) {
        const std::string language = LowerCase(each.Language());
        const bool english = language == "en" || language.starts_with("en-");
        if (name.empty() || english) name = InOneLine(each.Text());
        if (english) return CutText(name, kDisplayNameBytesMax);
      }
    }
  }
  return CutText(name, kDisplayNameBytesMax);
}

// The first SPSSODescriptor that speaks SAML 2.0.
absl::StatusOr<XmlElement> FindDescriptor(XmlElement entity) {
  for (const XmlElement& descriptor : entity.Children(kMetadataNs, "SPSSODescriptor")) {
    const std::string protocols = descriptor.Attribute("protocolSupportEnumeration").value_or("");
    // A list between blanks: XML has made other white space of an attribute blanks.
    if (fmt::format(" {} ", protocols).find(fmt::format(" {} ", kSamlpNs)) != std::string::npos) {
      return descriptor;
    }
  }
  return BadMetadata("no SPSSODescriptor for SAML 2.0; is it the file of an identity provider?");
}

}  // namespace

absl::StatusOr<ServiceProviderMetadata> ParseServiceProvider(std::string_view metadata,
                                                             WallTime now) {
  const absl::StatusOr<XmlDocument> document = XmlDocument::Parse(metadata, kMetadataLimits);
  if (!document.ok()) return BadMetadata(std::string(document.status().message()));
  const XmlElement entity = document->root();
  if (!entity.Is(kMetadataNs, "EntityDescriptor")) {
    return BadMetadata("the root must be one md:EntityDescriptor");
  }
  ServiceProviderMetadata read;
  org::v1::SamlServiceProvider& provider = read.saml;
  provider.set_entity_id(entity.Attribute("entityID").value_or(""));
  if (provider.entity_id().empty() || provider.entity_id().size() > kEntityIdBytesMax) {
    return BadMetadata("the EntityDescriptor needs an entityID of 1 to 1024 bytes");
  }
  DT_RETURN_IF_ERROR(CheckValidUntil(entity, now));
  DT_ASSIGN_OR_RETURN(const XmlElement descriptor, FindDescriptor(entity));
  DT_RETURN_IF_ERROR(CheckValidUntil(descriptor, now));
  DT_RETURN_IF_ERROR(ReadAcs(descriptor, provider));
  DT_RETURN_IF_ERROR(ReadKeys(descriptor, provider));
  DT_RETURN_IF_ERROR(ReadSingleLogout(descriptor, provider));
  DT_ASSIGN_OR_RETURN(const bool wants_signed,
                      descriptor.BooleanAttribute("WantAssertionsSigned", false));
  provider.set_wants_assertions_signed(wants_signed);
  DT_ASSIGN_OR_RETURN(const bool requests_signed,
                      descriptor.BooleanAttribute("AuthnRequestsSigned", false));
  if (requests_signed && provider.signing_certificates_der_size() == 0) {
    return BadMetadata(
        "AuthnRequestsSigned without a KeyDescriptor whose key can verify anything: RSA of 2048 to "
        "4096 bits, P-256 or P-384");
  }
  provider.set_requests_signed(requests_signed);
  for (const XmlElement& format : descriptor.Children(kMetadataNs, "NameIDFormat")) {
    provider.add_name_id_formats(format.Text());
  }
  read.display_name = DisplayNameOf(descriptor);
  return read;
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
  std::string algorithms;
  for (const std::string_view uri : DigestMethodUris()) {
    algorithms += fmt::format("      <alg:DigestMethod Algorithm=\"{}\"/>\n", uri);
  }
  for (const std::string_view uri : SignatureMethodUris()) {
    algorithms += fmt::format("      <alg:SigningMethod Algorithm=\"{}\"/>\n", uri);
  }
  const std::string extensions = fmt::format(
      "    <md:Extensions xmlns:alg=\"{}\">\n{}    </md:Extensions>\n", kAlgorithmNs, algorithms);
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
  std::string logout;
  if (!idp.sign_out_url.empty()) {
    logout = service("SingleLogoutService", kRedirectBinding, idp.sign_out_url) +
             service("SingleLogoutService", kMetadataPostBinding, idp.sign_out_url);
  }
  // The order of the children is the schema's.
  return fmt::format(
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
             "<md:EntityDescriptor xmlns:md=\"{}\" entityID=\"{}\" validUntil=\"{}\""
             " cacheDuration=\"PT{}H\">\n"
             "  <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\""
             " protocolSupportEnumeration=\"{}\">\n",
             kMetadataNs, EscapeXmlAttribute(idp.entity_id),
             FormatUtc(std::chrono::floor<std::chrono::days>(idp.now) + kIdpMetadataLifetime),
             kIdpMetadataCached.count(), kSamlpNs) +
         extensions + keys + logout + formats +
         service("SingleSignOnService", kRedirectBinding, idp.sign_on_url) +
         service("SingleSignOnService", kMetadataPostBinding, idp.sign_on_url) +
         "  </md:IDPSSODescriptor>\n</md:EntityDescriptor>\n";
}

}  // namespace devicetrust::saml
