#include "libs/saml/received_message.h"

#include <fmt/format.h>

#include <vector>

#include "libs/base/ascii.h"
#include "libs/base/utc_time.h"
#include "libs/saml/error.h"
#include "libs/saml/xml_signature.h"

namespace devicetrust::saml {
namespace {

constexpr std::size_t kIdBytesMax = 256;

// xs:NCName, in the characters that anybody uses.
bool IsId(std::string_view text) {
  if (text.empty() || text.size() > kIdBytesMax) return false;
  if (!IsAlpha(text.front()) && text.front() != '_') return false;
  return IsAll(text, [](char c) { return IsBase64Url(c) || c == '.'; });
}

absl::StatusOr<std::vector<pki::Certificate>> ProviderKeys(
    const org::v1::SamlServiceProvider& provider) {
  std::vector<pki::Certificate> keys;
  for (const std::string& der : provider.signing_certificates_der()) {
    DT_ASSIGN_OR_RETURN(pki::Certificate certificate, pki::Certificate::FromDer(AsBytes(der)));
    keys.push_back(std::move(certificate));
  }
  return keys;
}

absl::StatusOr<std::string> ReadIssuer(const XmlDocument& document) {
  DT_ASSIGN_OR_RETURN(const std::optional<XmlElement> issuer,
                      document.root().Child(kSamlNs, "Issuer"));
  if (!issuer) return BadMessage(document.root().Name(), "Issuer is missing");
  return issuer->Text();
}

}  // namespace

absl::StatusOr<ReceivedMessage> ReceivedMessage::Parse(Message message) {
  DT_ASSIGN_OR_RETURN(XmlDocument document, Typed(XmlDocument::Parse(message.xml)));
  DT_ASSIGN_OR_RETURN(std::string issuer, Typed(ReadIssuer(document)));
  return ReceivedMessage(std::move(message), std::move(document), std::move(issuer));
}

bool ReceivedMessage::IsSigned() const {
  return message_.redirect ? message_.query_signed
                           : !document_.root().Children(kDsigNs, "Signature").empty();
}

absl::Status BadMessage(std::string_view name, std::string_view why, std::string foreign) {
  return Error(reason::v1::REASON_SAML_REQUEST_MALFORMED, fmt::format("{}: {}", name, why),
               std::move(foreign));
}

absl::Status CheckSignature(const ReceivedMessage& received,
                            const org::v1::SamlServiceProvider& provider, bool demanded) {
  if (!received.IsSigned()) {
    if (!demanded) return absl::OkStatus();
    return Error(reason::v1::REASON_SAML_SIGNATURE_INVALID,
                 fmt::format("the {} is not signed, and it must be: by what the service provider's "
                             "metadata says, or by SAML",
                             received.document().root().Name()));
  }
  DT_ASSIGN_OR_RETURN(const std::vector<pki::Certificate> keys, ProviderKeys(provider));
  // Without a key in the metadata nothing can be said for or against a signature.
  if (keys.empty() && !demanded) return absl::OkStatus();
  return received.message().redirect ? VerifyQuerySignature(received.message(), keys)
                                     : VerifyRootSignature(received.document(), keys);
}

absl::Status CheckEnvelope(const ReceivedMessage& received, std::string_view name,
                           const org::v1::SamlServiceProvider& provider, std::string_view url,
                           WallTime now) {
  const XmlElement root = received.document().root();
  if (!root.Is(kSamlpNs, name)) return BadMessage(name, "the message is none", root.Name());
  if (!root.Attribute("Version")) return BadMessage(name, "Version is missing");
  if (!IsId(root.Attribute("ID").value_or(""))) {
    return BadMessage(name, "ID is missing or malformed");
  }
  const std::string destination = root.TrimmedAttribute("Destination").value_or("");
  if (!destination.empty() && destination != url) {
    return BadMessage(name, fmt::format("Destination is not {}", url), destination);
  }
  // Else what was signed for another could be sent to us (SAML bindings, sections 3.4.5.2 and
  // 3.5.5.2).
  if (destination.empty() && received.IsSigned()) {
    return BadMessage(name, "a signed message needs a Destination");
  }
  const std::string instant = root.TrimmedAttribute("IssueInstant").value_or("");
  const absl::StatusOr<WallTime> issued = ParseUtc(instant);
  if (!issued.ok()) return BadMessage(name, "IssueInstant is missing or malformed");
  if (*issued < now - kRequestAgeMax || *issued > now + kRequestAgeMax) {
    return Error(
        reason::v1::REASON_SAML_REQUEST_EXPIRED,
        fmt::format("the request was issued more than {} minutes ago, or the clocks of the "
                    "app and of this service differ",
                    kRequestAgeMax.count()),
        instant);
  }
  if (received.issuer() != provider.entity_id()) {
    return Error(reason::v1::REASON_SAML_UNKNOWN_SERVICE_PROVIDER,
                 fmt::format("the request's Issuer is not the entity id that the app is registered "
                             "with, {}",
                             provider.entity_id()),
                 received.issuer());
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::saml
