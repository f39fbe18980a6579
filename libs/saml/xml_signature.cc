#include "libs/saml/xml_signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/saml/error.h"

namespace devicetrust::saml {
namespace {

constexpr std::string_view kSha256Uri = "http://www.w3.org/2001/04/xmlenc#sha256";
constexpr std::string_view kEnvelopedUri = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

struct SignatureMethod {
  std::string_view uri;
  bool rsa;  // Else ECDSA.
  pki::HashType hash;
};
constexpr SignatureMethod kSignatureMethods[] = {
    {kRsaSha256, true, pki::HashType::kSha256},
    {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", true, pki::HashType::kSha384},
    {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", true, pki::HashType::kSha512},
    {kEcdsaSha256, false, pki::HashType::kSha256},
    {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", false, pki::HashType::kSha384},
    {"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", false, pki::HashType::kSha512},
};
constexpr std::pair<std::string_view, pki::HashType> kDigestMethods[] = {
    {kSha256Uri, pki::HashType::kSha256},
    {"http://www.w3.org/2001/04/xmldsig-more#sha384", pki::HashType::kSha384},
    {"http://www.w3.org/2001/04/xmlenc#sha512", pki::HashType::kSha512},
};

struct CanonicalMethod {
  std::string_view uri;
  CanonicalForm::Kind kind;
};
constexpr CanonicalMethod kCanonicalMethods[] = {
    {kExcC14n, CanonicalForm::Kind::kExclusive},
    {"http://www.w3.org/2001/10/xml-exc-c14n#WithComments", CanonicalForm::Kind::kExclusive},
    {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", CanonicalForm::Kind::kInclusive},
    {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
     CanonicalForm::Kind::kInclusive},
    {"http://www.w3.org/2006/12/xml-c14n11", CanonicalForm::Kind::kInclusive11},
    {"http://www.w3.org/2006/12/xml-c14n11#WithComments", CanonicalForm::Kind::kInclusive11},
};

// `foreign`: what the message speaks of, as the app sent it.
absl::Status BadSignature(std::string why, std::string foreign = {}) {
  return Error(reason::v1::REASON_SAML_SIGNATURE_INVALID, std::move(why), std::move(foreign));
}

// Base64 in XML may be broken into lines.
absl::StatusOr<Bytes> DecodeFolded(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  return Base64Decode(text);
}

absl::StatusOr<XmlElement> OnlyChild(XmlElement parent, std::string_view name) {
  absl::StatusOr<std::optional<XmlElement>> child = parent.Child(kDsigNs, name);
  if (!child.ok() || !*child) return BadSignature(fmt::format("the signature has no {}", name));
  return **child;
}

std::string AlgorithmOf(XmlElement method) { return method.Attribute("Algorithm").value_or(""); }

absl::StatusOr<pki::HashType> DigestMethodOf(XmlElement reference) {
  DT_ASSIGN_OR_RETURN(const XmlElement element, OnlyChild(reference, "DigestMethod"));
  for (const auto& [uri, hash] : kDigestMethods) {
    if (AlgorithmOf(element) == uri && element.Children().empty()) return hash;
  }
  return BadSignature("the signature's digest is not SHA-256, SHA-384 or SHA-512",
                      AlgorithmOf(element));
}

// Exclusive XML Canonicalization, section 3: InclusiveNamespaces with its PrefixList.
absl::StatusOr<std::vector<std::string>> PrefixesOf(XmlElement method) {
  std::vector<std::string> prefixes;
  const std::vector<XmlElement> children = method.Children();
  if (children.empty()) return prefixes;
  if (children.size() > 1 || !children.front().Is(kExcC14n, "InclusiveNamespaces")) {
    return BadSignature("the signature's canonical form has a parameter that is not known");
  }
  std::istringstream words(children.front().Attribute("PrefixList").value_or(""));
  for (std::string word; words >> word;) {
    if (std::ranges::count(prefixes, word) != 0) continue;
    if (prefixes.size() == kPrefixesMax) {
      return BadSignature(
          fmt::format("the signature's PrefixList has more than {} prefixes", kPrefixesMax));
    }
    prefixes.push_back(word);
  }
  return prefixes;
}

// What a CanonicalizationMethod or a Transform asks for.
absl::StatusOr<CanonicalForm> CanonicalFormOf(XmlElement method) {
  for (const CanonicalMethod& known : kCanonicalMethods) {
    if (AlgorithmOf(method) != known.uri) continue;
    if (known.kind == CanonicalForm::Kind::kExclusive) {
      DT_ASSIGN_OR_RETURN(std::vector<std::string> prefixes, PrefixesOf(method));
      return CanonicalForm{known.kind, std::move(prefixes)};
    }
    if (!method.Children().empty()) break;
    return CanonicalForm{known.kind, {}};
  }
  return BadSignature("the signature's canonical form or transform is none that SAML allows",
                      AlgorithmOf(method));
}

// The form of the root whose digest the reference has.
absl::StatusOr<CanonicalForm> CheckReference(XmlElement reference, XmlElement root) {
  const std::optional<std::string> uri = reference.Attribute("URI");
  const std::optional<std::string> id = root.Attribute("ID");
  if (!uri || (!uri->empty() && (!id || id->empty() || *uri != "#" + *id))) {
    return BadSignature("the signature does not cover the message", uri.value_or(""));
  }
  DT_ASSIGN_OR_RETURN(const XmlElement transforms, OnlyChild(reference, "Transforms"));
  const std::vector<XmlElement> list = transforms.Children();
  const auto is_transform = [](const XmlElement& each) { return each.Is(kDsigNs, "Transform"); };
  if (list.empty() || list.size() > 2 || !std::ranges::all_of(list, is_transform) ||
      AlgorithmOf(list.front()) != kEnvelopedUri || !list.front().Children().empty()) {
    return BadSignature(
        "the signature's transforms are not enveloped-signature and one canonical form",
        list.empty() ? "" : AlgorithmOf(list.front()));
  }
  if (list.size() == 1) return CanonicalForm{CanonicalForm::Kind::kInclusive, {}};
  return CanonicalFormOf(list.back());
}

bool IsRsa(const pki::PublicKey& key) { return key.type() == pki::KeyType::kRsa2048; }

}  // namespace

absl::StatusOr<std::string_view> SignatureMethodOf(const pki::Identity& signer) {
  switch (signer.key.type()) {
    case pki::KeyType::kRsa2048:
      return kRsaSha256;
    case pki::KeyType::kP256:
      return kEcdsaSha256;
    case pki::KeyType::kP384:
      break;
  }
  return absl::FailedPreconditionError("SAML is signed with an RSA or a P-256 key");
}

absl::StatusOr<Bytes> SignRaw(std::string_view message, const pki::Identity& signer) {
  DT_ASSIGN_OR_RETURN(const std::string_view method, SignatureMethodOf(signer));
  return method == kRsaSha256 ? signer.key.Sign(AsBytes(message)) : signer.key.SignEs256(message);
}

absl::StatusOr<std::string> SignatureOf(std::string_view canonical, std::string_view id,
                                        const pki::Identity& signer) {
  DT_ASSIGN_OR_RETURN(const std::string_view method, SignatureMethodOf(signer));
  // In canonical form: attributes and namespaces in order, no empty-element tags. Alone,
  // SignedInfo declares the prefix; inside Signature it has it from there.
  const auto signed_info = [&](std::string_view declaration) {
    return fmt::format(
        "<ds:SignedInfo{}>"
        "<ds:CanonicalizationMethod Algorithm=\"{}\"></ds:CanonicalizationMethod>"
        "<ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod>"
        "<ds:Reference URI=\"#{}\"><ds:Transforms>"
        "<ds:Transform Algorithm=\"{}\"></ds:Transform>"
        "<ds:Transform Algorithm=\"{}\"></ds:Transform></ds:Transforms>"
        "<ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod>"
        "<ds:DigestValue>{}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        declaration, kExcC14n, method, EscapeXmlAttribute(id), kEnvelopedUri, kExcC14n, kSha256Uri,
        Base64Encode(pki::Sha256(canonical)));
  };
  const std::string declaration = fmt::format(" xmlns:ds=\"{}\"", kDsigNs);
  DT_ASSIGN_OR_RETURN(const Bytes value, SignRaw(signed_info(declaration), signer));
  return fmt::format(
      "<ds:Signature{}>{}<ds:SignatureValue>{}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>"
      "<ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
      declaration, signed_info(""), Base64Encode(value), Base64Encode(signer.certificate.der()));
}

absl::Status VerifyRootSignature(const XmlDocument& document,
                                 const std::vector<pki::Certificate>& certificates) {
  const XmlElement root = document.root();
  DT_ASSIGN_OR_RETURN(const XmlElement signature, OnlyChild(root, "Signature"));
  DT_ASSIGN_OR_RETURN(const XmlElement signed_info, OnlyChild(signature, "SignedInfo"));
  DT_ASSIGN_OR_RETURN(const XmlElement canonical, OnlyChild(signed_info, "CanonicalizationMethod"));
  DT_ASSIGN_OR_RETURN(const CanonicalForm form, CanonicalFormOf(canonical));
  DT_ASSIGN_OR_RETURN(const XmlElement method, OnlyChild(signed_info, "SignatureMethod"));
  DT_ASSIGN_OR_RETURN(const XmlElement reference, OnlyChild(signed_info, "Reference"));
  DT_ASSIGN_OR_RETURN(const CanonicalForm root_form, CheckReference(reference, root));

  DT_ASSIGN_OR_RETURN(const pki::HashType hash, DigestMethodOf(reference));
  DT_ASSIGN_OR_RETURN(const XmlElement digest, OnlyChild(reference, "DigestValue"));
  DT_ASSIGN_OR_RETURN(const std::string covered,
                      Canonicalize(document, root, signature, root_form));
  const absl::StatusOr<Bytes> wanted = DecodeFolded(digest.Text());
  if (!wanted.ok() || !pki::ConstantTimeEquals(*wanted, pki::HashOf(hash, AsBytes(covered)))) {
    return BadSignature("the signature's digest differs: the request was changed after signing");
  }

  DT_ASSIGN_OR_RETURN(const XmlElement value, OnlyChild(signature, "SignatureValue"));
  const absl::StatusOr<Bytes> octets = DecodeFolded(value.Text());
  if (!octets.ok()) return BadSignature("the signature's value is not base64");
  DT_ASSIGN_OR_RETURN(const std::string message,
                      Canonicalize(document, signed_info, std::nullopt, form));
  return VerifySignature(certificates, AlgorithmOf(method), message, *octets);
}

absl::Status VerifySignature(const std::vector<pki::Certificate>& certificates,
                             std::string_view algorithm, std::string_view message,
                             std::span<const std::uint8_t> signature) {
  const auto* const method = std::ranges::find(kSignatureMethods, algorithm, &SignatureMethod::uri);
  if (method == std::end(kSignatureMethods)) {
    return BadSignature(
        "the signature's algorithm is not RSA or ECDSA with SHA-256, SHA-384 or SHA-512",
        std::string(algorithm));
  }
  std::size_t tried = 0;
  for (const pki::Certificate& certificate : certificates) {
    const absl::StatusOr<pki::PublicKey> key = certificate.public_key();
    if (!key.ok() || IsRsa(*key) != method->rsa || tried == kSigningKeysMax) continue;
    if (key->VerifyRaw(method->hash, AsBytes(message), signature)) return absl::OkStatus();
    ++tried;
  }
  if (tried == 0) {
    return BadSignature(fmt::format("the signature is by an {} key, and the service provider's "
                                    "metadata has none; register its metadata of today",
                                    method->rsa ? "RSA" : "EC"),
                        std::string(algorithm));
  }
  return BadSignature(
      "the signature is by another key than those of the service provider's metadata, or the "
      "request was changed; register its metadata of today",
      std::string(algorithm));
}

std::vector<std::string_view> DigestMethodUris() {
  std::vector<std::string_view> uris;
  for (const auto& [uri, hash] : kDigestMethods) uris.push_back(uri);
  return uris;
}

std::vector<std::string_view> SignatureMethodUris() {
  std::vector<std::string_view> uris;
  for (const SignatureMethod& method : kSignatureMethods) uris.push_back(method.uri);
  return uris;
}

}  // namespace devicetrust::saml
