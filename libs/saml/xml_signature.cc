#include "libs/saml/xml_signature.h"

#include <fmt/format.h>

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

absl::Status BadSignature(std::string_view why) {
  return Error(reason::v1::REASON_SAML_SIGNATURE_INVALID, fmt::format("XML signature: {}", why));
}

// Base64 in XML may be broken into lines.
absl::StatusOr<Bytes> DecodeFolded(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  return Base64Decode(text);
}

absl::StatusOr<XmlElement> OnlyChild(XmlElement parent, std::string_view name) {
  absl::StatusOr<std::optional<XmlElement>> child = parent.Child(kDsigNs, name);
  if (!child.ok() || !*child) return BadSignature(fmt::format("no single {}", name));
  return **child;
}

absl::Status CheckAlgorithm(XmlElement parent, std::string_view child, std::string_view wanted) {
  DT_ASSIGN_OR_RETURN(const XmlElement element, OnlyChild(parent, child));
  if (element.Attribute("Algorithm") != wanted || !element.Children().empty()) {
    return BadSignature(fmt::format("{} is not {}", child, wanted));
  }
  return absl::OkStatus();
}

absl::StatusOr<pki::HashType> DigestMethodOf(XmlElement reference) {
  DT_ASSIGN_OR_RETURN(const XmlElement element, OnlyChild(reference, "DigestMethod"));
  for (const auto& [uri, hash] : kDigestMethods) {
    if (element.Attribute("Algorithm") == uri && element.Children().empty()) return hash;
  }
  return BadSignature("DigestMethod is not SHA-256, SHA-384 or SHA-512");
}

absl::Status CheckReference(XmlElement reference, XmlElement root) {
  const std::optional<std::string> uri = reference.Attribute("URI");
  const std::optional<std::string> id = root.Attribute("ID");
  if (!uri || (!uri->empty() && (!id || id->empty() || *uri != "#" + *id))) {
    return BadSignature("it does not cover the message");
  }
  DT_ASSIGN_OR_RETURN(const XmlElement transforms, OnlyChild(reference, "Transforms"));
  const std::vector<XmlElement> list = transforms.Children();
  const auto is = [&](std::size_t i, std::string_view algorithm) {
    return list[i].Is(kDsigNs, "Transform") && list[i].Attribute("Algorithm") == algorithm &&
           list[i].Children().empty();
  };
  if (list.size() != 2 || !is(0, kEnvelopedUri) || !is(1, kExcC14n)) {
    return BadSignature("transforms must be enveloped-signature, then exc-c14n, plain");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SignatureOf(std::string_view canonical, std::string_view id,
                                        const pki::Identity& signer) {
  if (signer.key.type() != pki::KeyType::kRsa2048) {
    return absl::FailedPreconditionError("SAML is signed with an RSA key");
  }
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
        declaration, kExcC14n, kRsaSha256, EscapeXmlAttribute(id), kEnvelopedUri, kExcC14n,
        kSha256Uri, Base64Encode(pki::Sha256(canonical)));
  };
  const std::string declaration = fmt::format(" xmlns:ds=\"{}\"", kDsigNs);
  DT_ASSIGN_OR_RETURN(const Bytes value, signer.key.Sign(AsBytes(signed_info(declaration))));
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
  DT_RETURN_IF_ERROR(CheckAlgorithm(signed_info, "CanonicalizationMethod", kExcC14n));
  DT_ASSIGN_OR_RETURN(const XmlElement method, OnlyChild(signed_info, "SignatureMethod"));
  DT_ASSIGN_OR_RETURN(const XmlElement reference, OnlyChild(signed_info, "Reference"));
  DT_RETURN_IF_ERROR(CheckReference(reference, root));

  DT_ASSIGN_OR_RETURN(const pki::HashType hash, DigestMethodOf(reference));
  DT_ASSIGN_OR_RETURN(const XmlElement digest, OnlyChild(reference, "DigestValue"));
  DT_ASSIGN_OR_RETURN(const std::string covered, Canonicalize(document, root, signature));
  const absl::StatusOr<Bytes> wanted = DecodeFolded(digest.Text());
  if (!wanted.ok() || !pki::ConstantTimeEquals(*wanted, pki::HashOf(hash, AsBytes(covered)))) {
    return BadSignature("the digest differs: the message was changed");
  }

  DT_ASSIGN_OR_RETURN(const XmlElement value, OnlyChild(signature, "SignatureValue"));
  const absl::StatusOr<Bytes> octets = DecodeFolded(value.Text());
  DT_ASSIGN_OR_RETURN(const std::string message, Canonicalize(document, signed_info, std::nullopt));
  const std::string algorithm = method.Attribute("Algorithm").value_or("");
  for (const pki::Certificate& certificate : certificates) {
    const absl::StatusOr<pki::PublicKey> key = certificate.public_key();
    if (octets.ok() && key.ok() && VerifyWithAlgorithm(*key, algorithm, message, *octets)) {
      return absl::OkStatus();
    }
  }
  return BadSignature(
      "not RSA or ECDSA with SHA-256, SHA-384 or SHA-512 by a key of the service provider's "
      "metadata");
}

bool VerifyWithAlgorithm(const pki::PublicKey& key, std::string_view algorithm,
                         std::string_view message, std::span<const std::uint8_t> signature) {
  const bool rsa = key.type() == pki::KeyType::kRsa2048;
  for (const SignatureMethod& method : kSignatureMethods) {
    if (method.uri != algorithm || method.rsa != rsa) continue;
    return key.VerifyRaw(method.hash, AsBytes(message), signature);
  }
  return false;
}

}  // namespace devicetrust::saml
