#include "libs/saml/encryption.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "libs/base/encoding.h"
#include "libs/pki/certificate.h"
#include "libs/pki/digest.h"
#include "libs/pki/encryption.h"
#include "libs/saml/message_writer.h"
#include "libs/saml/xml.h"

namespace devicetrust::saml {
namespace {

constexpr std::string_view kXencNs = "http://www.w3.org/2001/04/xmlenc#";

struct ContentMethod {
  std::string_view uri;
  pki::ContentCipher cipher;
  bool authenticates;
};
// Best first.
constexpr ContentMethod kContentMethods[] = {
    {"http://www.w3.org/2009/xmlenc11#aes256-gcm", pki::ContentCipher::kAes256Gcm, true},
    {"http://www.w3.org/2009/xmlenc11#aes192-gcm", pki::ContentCipher::kAes192Gcm, true},
    {"http://www.w3.org/2009/xmlenc11#aes128-gcm", pki::ContentCipher::kAes128Gcm, true},
    {"http://www.w3.org/2001/04/xmlenc#aes256-cbc", pki::ContentCipher::kAes256Cbc, false},
    {"http://www.w3.org/2001/04/xmlenc#aes192-cbc", pki::ContentCipher::kAes192Cbc, false},
    {"http://www.w3.org/2001/04/xmlenc#aes128-cbc", pki::ContentCipher::kAes128Cbc, false},
};

struct TransportMethod {
  std::string_view uri;
  pki::OaepHash hash;  // Of MGF1, too.
  std::string_view parameters;
};
// Most widely read first. SHA-1 has no weakness that matters in OAEP.
constexpr TransportMethod kTransportMethods[] = {
    {"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", pki::OaepHash::kSha1,
     "<ds:DigestMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"></ds:DigestMethod>"},
    {"http://www.w3.org/2009/xmlenc11#rsa-oaep", pki::OaepHash::kSha256,
     "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>"
     "<xenc11:MGF xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\""
     " Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"></xenc11:MGF>"},
};

// Everything else that is listed names a content cipher.
constexpr std::string_view kTransportUris[] = {"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
                                               "http://www.w3.org/2009/xmlenc11#rsa-oaep",
                                               "http://www.w3.org/2001/04/xmlenc#rsa-1_5"};

bool IsTransport(std::string_view uri) { return std::ranges::count(kTransportUris, uri) > 0; }

// The best of `known` that the metadata lists; the first when it lists none of that use.
template <typename Methods>
auto Best(const Methods& known, const org::v1::SamlEncryptionKey& key, bool transport) {
  const bool listed = std::ranges::any_of(
      key.methods(), [&](const std::string& uri) { return IsTransport(uri) == transport; });
  if (!listed) return std::begin(known);
  return std::find_if(std::begin(known), std::end(known), [&](const auto& method) {
    return std::ranges::count(key.methods(), method.uri) > 0;
  });
}

std::string Method(std::string_view uri, std::string_view parameters) {
  return Element("xenc:EncryptionMethod", XmlAttribute("Algorithm", uri), parameters);
}

std::string CipherData(const Bytes& octets) {
  return Element("xenc:CipherData", "", TextElement("xenc:CipherValue", Base64Encode(octets)));
}

}  // namespace

absl::StatusOr<EncryptionChoice> ChooseEncryption(const org::v1::SamlEncryptionKey& key) {
  const auto* const content = Best(kContentMethods, key, false);
  const auto* const transport = Best(kTransportMethods, key, true);
  if (content == std::end(kContentMethods) || transport == std::end(kTransportMethods)) {
    return absl::FailedPreconditionError(
        fmt::format("the metadata asks for assertions to be encrypted by {}, and AES with RSA-OAEP "
                    "is what there is",
                    fmt::join(key.methods(), " ")));
  }
  return EncryptionChoice{content->uri, transport->uri, !content->authenticates};
}

absl::StatusOr<std::string> EncryptAssertion(std::string_view assertion,
                                             const org::v1::SamlEncryptionKey& key,
                                             Random& random) {
  DT_RETURN_IF_ERROR(ChooseEncryption(key).status());
  const ContentMethod& content = *Best(kContentMethods, key, false);
  const TransportMethod& transport = *Best(kTransportMethods, key, true);
  DT_ASSIGN_OR_RETURN(const pki::Certificate certificate,
                      pki::Certificate::FromDer(AsBytes(key.certificate_der())));
  DT_ASSIGN_OR_RETURN(const pki::PublicKey recipient, certificate.public_key());

  Bytes secret(pki::KeyBytesOf(content.cipher));
  DT_RETURN_IF_ERROR(random.Fill(secret));
  const absl::StatusOr<Bytes> octets =
      pki::EncryptContent(content.cipher, secret, AsBytes(assertion), random);
  const absl::StatusOr<Bytes> wrapped =
      pki::EncryptOaep(recipient, transport.hash, transport.hash, secret);
  pki::Wipe(secret);
  if (!octets.ok()) return octets.status();
  if (!wrapped.ok()) return wrapped.status();

  const std::string encrypted_key = Element(
      "xenc:EncryptedKey", "", Method(transport.uri, transport.parameters) + CipherData(*wrapped));
  const std::string key_info =
      Element("ds:KeyInfo", fmt::format(" xmlns:ds=\"{}\"", kDsigNs), encrypted_key);
  const std::string data = Element(
      "xenc:EncryptedData", fmt::format(" xmlns:xenc=\"{}\" Type=\"{}Element\"", kXencNs, kXencNs),
      Method(content.uri, "") + key_info + CipherData(*octets));
  return Element("saml:EncryptedAssertion", SamlDeclaration(), data);
}

}  // namespace devicetrust::saml
