#include "simulator/apps/idp_metadata.h"

#include <algorithm>

#include "libs/base/encoding.h"
#include "libs/pki/certificate.h"
#include "simulator/apps/xml.h"

namespace devicetrust::simulator {
namespace {

constexpr std::string_view kBinding = "urn:oasis:names:tc:SAML:2.0:bindings:";

absl::Status AddKeys(Element descriptor, std::vector<pki::PublicKey>& keys) {
  for (const Element key : descriptor.Children(kMetadataNs, "KeyDescriptor")) {
    if (key.Attribute("use").value_or("signing") != "signing") continue;
    DT_ASSIGN_OR_RETURN(const Element info, key.Only(kDsNs, "KeyInfo"));
    DT_ASSIGN_OR_RETURN(const Element data, info.Only(kDsNs, "X509Data"));
    for (const Element certificate : data.Children(kDsNs, "X509Certificate")) {
      std::string text = certificate.Text();
      std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
      DT_ASSIGN_OR_RETURN(const Bytes der, Base64Decode(text));
      DT_ASSIGN_OR_RETURN(const pki::Certificate parsed, pki::Certificate::FromDer(der));
      DT_ASSIGN_OR_RETURN(pki::PublicKey public_key, parsed.public_key());
      keys.push_back(std::move(public_key));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<IdpMetadata> ParseIdpMetadata(std::string_view xml) {
  DT_ASSIGN_OR_RETURN(const Document document, Document::Parse(xml));
  const Element entity = document.root();
  if (!entity.Is(kMetadataNs, "EntityDescriptor")) {
    return absl::InvalidArgumentError("metadata is no EntityDescriptor");
  }
  DT_ASSIGN_OR_RETURN(const Element idp, entity.Only(kMetadataNs, "IDPSSODescriptor"));

  IdpMetadata metadata;
  metadata.entity_id = entity.Attribute("entityID").value_or("");
  for (const Element service : idp.Children(kMetadataNs, "SingleSignOnService")) {
    const std::string binding = service.Attribute("Binding").value_or("");
    const std::string location = service.Attribute("Location").value_or("");
    if (binding == std::string(kBinding) + "HTTP-Redirect") metadata.redirect_url = location;
    if (binding == std::string(kBinding) + "HTTP-POST") metadata.post_url = location;
  }
  DT_RETURN_IF_ERROR(AddKeys(idp, metadata.signing_keys));
  if (metadata.entity_id.empty() || metadata.signing_keys.empty() ||
      (metadata.redirect_url.empty() && metadata.post_url.empty())) {
    return absl::InvalidArgumentError(
        "metadata lacks entity id, signing key or single sign-on address");
  }
  return metadata;
}

}  // namespace devicetrust::simulator
