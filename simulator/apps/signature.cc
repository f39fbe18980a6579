#include "simulator/apps/signature.h"

#include <algorithm>
#include <string>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"

namespace devicetrust::simulator {
namespace {

constexpr std::string_view kExclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
constexpr std::string_view kEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
constexpr std::string_view kSha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
constexpr std::string_view kRsaSha256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

// XML base64 may be broken into lines.
absl::StatusOr<Bytes> DecodeText(Element element) {
  std::string text = element.Text();
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return Base64Decode(text);
}

std::vector<std::string> Words(const std::string& list) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = list.find_first_not_of(" \t\r\n", at)) != std::string::npos) {
    const std::size_t end = std::min(list.find_first_of(" \t\r\n", at), list.size());
    words.push_back(list.substr(at, end - at));
    at = end;
  }
  return words;
}

// A CanonicalizationMethod or Transform that must be exclusive; its PrefixList.
absl::StatusOr<std::vector<std::string>> ExclusivePrefixes(Element method) {
  if (method.Attribute("Algorithm") != kExclusive) {
    return absl::InvalidArgumentError("signature is not over the exclusive canonical form");
  }
  const std::vector<Element> lists = method.Children(kExclusive, "InclusiveNamespaces");
  if (lists.size() > 1 || lists.size() != method.Children().size()) {
    return absl::InvalidArgumentError("signature's canonical form has an unknown parameter");
  }
  return lists.empty() ? std::vector<std::string>()
                       : Words(lists.front().Attribute("PrefixList").value_or(""));
}

absl::Status Require(Element parent, std::string_view name, std::string_view algorithm) {
  DT_ASSIGN_OR_RETURN(const Element method, parent.Only(kDsNs, name));
  if (method.Attribute("Algorithm") == algorithm) return absl::OkStatus();
  return absl::InvalidArgumentError("signature uses another algorithm than SHA-256 with RSA");
}

absl::Status VerifyReference(const Document& document, Element element, Element signature,
                             Element signed_info, std::string_view id_attribute) {
  DT_ASSIGN_OR_RETURN(const Element reference, signed_info.Only(kDsNs, "Reference"));
  const std::optional<std::string> id = element.Attribute(id_attribute);
  if (!id.has_value() || id->empty() || reference.Attribute("URI") != "#" + *id) {
    return absl::InvalidArgumentError("signature refers to another element than its own");
  }
  DT_ASSIGN_OR_RETURN(const Element transforms, reference.Only(kDsNs, "Transforms"));
  const std::vector<Element> steps = transforms.Children();
  if (steps.size() != 2 || !steps[0].Is(kDsNs, "Transform") || !steps[1].Is(kDsNs, "Transform") ||
      steps[0].Attribute("Algorithm") != kEnveloped) {
    return absl::InvalidArgumentError("signature has other transforms than SAML allows");
  }
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> prefixes, ExclusivePrefixes(steps[1]));
  DT_RETURN_IF_ERROR(Require(reference, "DigestMethod", kSha256));
  DT_ASSIGN_OR_RETURN(const Element value, reference.Only(kDsNs, "DigestValue"));
  DT_ASSIGN_OR_RETURN(const Bytes wanted, DecodeText(value));
  DT_ASSIGN_OR_RETURN(const std::string bytes,
                      document.Canonical(element, signature.get(), prefixes));
  if (!pki::ConstantTimeEquals(pki::Sha256(bytes), wanted)) {
    return absl::UnauthenticatedError("the signed element was changed: its digest differs");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status VerifySignature(const Document& document, Element element,
                             std::span<const pki::PublicKey> keys, std::string_view id_attribute) {
  DT_ASSIGN_OR_RETURN(const Element signature, element.Only(kDsNs, "Signature"));
  DT_ASSIGN_OR_RETURN(const Element signed_info, signature.Only(kDsNs, "SignedInfo"));
  DT_ASSIGN_OR_RETURN(const Element method, signed_info.Only(kDsNs, "CanonicalizationMethod"));
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> prefixes, ExclusivePrefixes(method));
  DT_RETURN_IF_ERROR(Require(signed_info, "SignatureMethod", kRsaSha256));
  DT_RETURN_IF_ERROR(VerifyReference(document, element, signature, signed_info, id_attribute));

  DT_ASSIGN_OR_RETURN(const Element value_element, signature.Only(kDsNs, "SignatureValue"));
  DT_ASSIGN_OR_RETURN(const Bytes value, DecodeText(value_element));
  DT_ASSIGN_OR_RETURN(const std::string bytes, document.Canonical(signed_info, nullptr, prefixes));
  const bool good = std::any_of(keys.begin(), keys.end(), [&](const pki::PublicKey& key) {
    return key.type() == pki::KeyType::kRsa2048 && key.Verify(AsBytes(bytes), value);
  });
  if (!good)
    return absl::UnauthenticatedError("no key of the identity provider made the signature");
  return absl::OkStatus();
}

}  // namespace devicetrust::simulator
