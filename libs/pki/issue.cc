// Writing certificates: the half of certificate.h that signs. The structures of RFC 5280,
// section 4, are put together here; OpenSSL writes names, numbers, times and keys.
#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/ordered_id.h"
#include "libs/pki/certificate.h"
#include "libs/pki/der.h"
#include "libs/pki/digest.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

constexpr std::size_t kSerialOctets = 20;  // At most: RFC 5280, 4.1.2.2.

using OctetsPtr = Owned<ASN1_OCTET_STRING, &ASN1_OCTET_STRING_free>;

constexpr std::size_t kNameBytesMax = 1024;

// Context-specific tags: of GeneralName, AuthorityKeyIdentifier, and EXPLICIT ones.
constexpr std::uint8_t kDnsName = 0x82;
constexpr std::uint8_t kUri = 0x86;
constexpr std::uint8_t kIpAddress = 0x87;
constexpr std::uint8_t kKeyIdentifier = 0x80;
constexpr std::uint8_t kTagged0 = 0xa0;
constexpr std::uint8_t kTagged3 = 0xa3;

// Object identifiers, whole elements: the extensions below id-ce (2.5.29),
constexpr std::array<std::uint8_t, 5> kSubjectKeyIdOid = {0x06, 0x03, 0x55, 0x1d, 14};
constexpr std::array<std::uint8_t, 5> kKeyUsageOid = {0x06, 0x03, 0x55, 0x1d, 15};
constexpr std::array<std::uint8_t, 5> kAlternativeNameOid = {0x06, 0x03, 0x55, 0x1d, 17};
constexpr std::array<std::uint8_t, 5> kConstraintsOid = {0x06, 0x03, 0x55, 0x1d, 19};
constexpr std::array<std::uint8_t, 5> kCrlPointsOid = {0x06, 0x03, 0x55, 0x1d, 31};
constexpr std::array<std::uint8_t, 5> kAuthorityKeyIdOid = {0x06, 0x03, 0x55, 0x1d, 35};
constexpr std::array<std::uint8_t, 5> kExtendedUsageOid = {0x06, 0x03, 0x55, 0x1d, 37};
// and what lies below id-pkix (1.3.6.1.5.5.7).
constexpr std::array<std::uint8_t, 10> kInfoAccessOid = {0x06, 0x08, 0x2b, 0x06, 0x01,
                                                         0x05, 0x05, 0x07, 0x01, 0x01};
constexpr std::array<std::uint8_t, 10> kServerAuthOid = {0x06, 0x08, 0x2b, 0x06, 0x01,
                                                         0x05, 0x05, 0x07, 0x03, 0x01};
constexpr std::array<std::uint8_t, 10> kClientAuthOid = {0x06, 0x08, 0x2b, 0x06, 0x01,
                                                         0x05, 0x05, 0x07, 0x03, 0x02};
constexpr std::array<std::uint8_t, 10> kOcspSigningOid = {0x06, 0x08, 0x2b, 0x06, 0x01,
                                                          0x05, 0x05, 0x07, 0x03, 0x09};
constexpr std::array<std::uint8_t, 11> kNoCheckOid = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x05,
                                                      0x05, 0x07, 0x30, 0x01, 0x05};
constexpr std::array<std::uint8_t, 10> kOcspOid = {0x06, 0x08, 0x2b, 0x06, 0x01,
                                                   0x05, 0x05, 0x07, 0x30, 0x01};
constexpr std::array<std::uint8_t, 10> kCaIssuersOid = {0x06, 0x08, 0x2b, 0x06, 0x01,
                                                        0x05, 0x05, 0x07, 0x30, 0x02};

constexpr std::array<std::uint8_t, 5> kVersion3 = {0xa0, 0x03, 0x02, 0x01, 0x02};
constexpr std::array<std::uint8_t, 3> kTrue = {0x01, 0x01, 0xff};
constexpr std::array<std::uint8_t, 2> kNull = {0x05, 0x00};
// Bits of RFC 5280, section 4.2.1.3, whole elements: 5 keyCertSign, 6 cRLSign; 0 digitalSignature.
constexpr std::array<std::uint8_t, 4> kCaUsage = {0x03, 0x02, 0x01, 0x06};
constexpr std::array<std::uint8_t, 4> kLeafUsage = {0x03, 0x02, 0x07, 0x80};

void Append(Bytes& list, DerSpan element) {
  list.insert(list.end(), element.begin(), element.end());
}

void AddExtension(Bytes& list, DerSpan oid, bool critical, DerSpan value) {
  Append(list, DerElement(kDerSequence, {oid, critical ? DerSpan(kTrue) : DerSpan(),
                                         DerElement(kDerOctets, {value})}));
}

// A name of an IA5String kind (URI, DNS).
bool AddName(Bytes& names, std::uint8_t kind, const std::string& text) {
  if (text.size() > kNameBytesMax || !IsAll(text, IsVisible)) return false;
  Append(names, DerElement(kind, {AsBytes(text)}));
  return true;
}

bool AddAddress(Bytes& names, const std::string& text) {
  const OctetsPtr octets(a2i_IPADDRESS(text.c_str()));
  if (octets == nullptr) return false;
  Append(names, DerElement(kIpAddress, {BytesOf(octets.get())}));
  return true;
}

bool AddAlternativeNames(Bytes& list, const CertificateSpec& spec) {
  Bytes names;
  for (const std::string& uri : spec.uris) {
    if (!AddName(names, kUri, uri)) return false;
  }
  for (const std::string& dns : spec.dns_names) {
    if (!AddName(names, kDnsName, dns)) return false;
  }
  for (const std::string& address : spec.ip_addresses) {
    if (!AddAddress(names, address)) return false;
  }
  if (names.empty()) return true;
  // Critical when it is all the subject there is (RFC 5280, section 4.2.1.6).
  AddExtension(list, kAlternativeNameOid, spec.common_name.empty() && spec.organization.empty(),
               DerElement(kDerSequence, {names}));
  return true;
}

bool AddCrlUrls(Bytes& list, const std::vector<std::string>& urls) {
  Bytes points;
  for (const std::string& url : urls) {
    Bytes name;
    if (!AddName(name, kUri, url)) return false;
    const Bytes full_name = DerElement(kTagged0, {name});
    Append(points, DerElement(kDerSequence, {DerElement(kTagged0, {full_name})}));
  }
  if (points.empty()) return true;
  AddExtension(list, kCrlPointsOid, false, DerElement(kDerSequence, {points}));
  return true;
}

bool AddInfoAccess(Bytes& list, const CertificateSpec& spec) {
  Bytes access;
  const auto add = [&access](const std::vector<std::string>& urls, DerSpan method) {
    return std::ranges::all_of(urls, [&](const std::string& url) {
      Bytes name;
      if (!AddName(name, kUri, url)) return false;
      Append(access, DerElement(kDerSequence, {method, name}));
      return true;
    });
  };
  if (!add(spec.ocsp_urls, kOcspOid) || !add(spec.ca_issuer_urls, kCaIssuersOid)) return false;
  if (access.empty()) return true;
  AddExtension(list, kInfoAccessOid, false, DerElement(kDerSequence, {access}));
  return true;
}

bool AddConstraints(Bytes& list, const CertificateSpec& spec) {
  Bytes path;
  if (spec.path_length.has_value()) {
    if (spec.usage != Usage::kCa || *spec.path_length < 0) return false;
    const Asn1IntegerPtr number(ASN1_INTEGER_new());
    if (ASN1_INTEGER_set(number.get(), *spec.path_length) != 1) return false;
    path = ToDer(number.get(), &i2d_ASN1_INTEGER);
  }
  const DerSpan ca = spec.usage == Usage::kCa ? DerSpan(kTrue) : DerSpan();
  AddExtension(list, kConstraintsOid, true, DerElement(kDerSequence, {ca, path}));
  return true;
}

void AddUsage(Bytes& list, Usage usage) {
  if (usage == Usage::kCa) return AddExtension(list, kKeyUsageOid, true, kCaUsage);
  AddExtension(list, kKeyUsageOid, true, kLeafUsage);
  if (usage == Usage::kOcspSigning) {
    AddExtension(list, kExtendedUsageOid, false, DerElement(kDerSequence, {kOcspSigningOid}));
    // It lives too short to be asked about (RFC 6960, section 4.2.2.2.1).
    return AddExtension(list, kNoCheckOid, false, kNull);
  }
  const DerSpan server = usage == Usage::kClientAuth ? DerSpan() : DerSpan(kServerAuthOid);
  const DerSpan client = usage == Usage::kServerAuth ? DerSpan() : DerSpan(kClientAuthOid);
  AddExtension(list, kExtendedUsageOid, false, DerElement(kDerSequence, {server, client}));
}

// RFC 7093, section 2, method 1: the leftmost 160 bits of SHA-256 of the key's bits.
Bytes KeyId(DerSpan spki) {
  auto parts = TakeContent(spki, kDerSequence);
  const auto algorithm = parts ? TakeElement(*parts, kDerSequence) : std::nullopt;
  const auto bits = algorithm ? TakeContent(*parts, kDerBits) : std::nullopt;
  if (!bits || bits->empty()) return {};
  const Sha256Digest digest = Sha256(bits->subspan(1));  // After the count of unused bits.
  return {digest.begin(), digest.begin() + 20};
}

// `authority` empty: nothing to point at.
void AddKeyIds(Bytes& list, DerSpan own, DerSpan authority) {
  AddExtension(list, kSubjectKeyIdOid, false, DerElement(kDerOctets, {own}));
  if (authority.empty()) return;
  AddExtension(list, kAuthorityKeyIdOid, false,
               DerElement(kDerSequence, {DerElement(kKeyIdentifier, {authority})}));
}

Bytes TimeDer(WallTime time) {
  const Asn1TimePtr written(ASN1_TIME_set(nullptr, UnixSeconds(time)));
  return written == nullptr ? Bytes() : ToDer(written.get(), &i2d_ASN1_TIME);
}

// TBSCertificate. Empty when `spec` holds what a certificate can't. `issuer` null: self-signed.
Bytes ToBeSigned(const CertificateSpec& spec, const PublicKey& key, const Certificate* issuer,
                 const Signer& issuer_key) {
  const Asn1IntegerPtr serial = SerialFromHex(spec.serial_hex);
  const Bytes begin = TimeDer(spec.not_before);
  const Bytes end = TimeDer(spec.not_after);
  const Bytes subject = NameDer(spec.organization, spec.common_name);
  const Bytes spki = key.Spki();
  const Bytes key_id = KeyId(spki);
  if (serial == nullptr || begin.empty() || end.empty() || subject.empty() || key_id.empty()) {
    return {};
  }
  Bytes extensions;
  if (!AddConstraints(extensions, spec)) return {};
  AddUsage(extensions, spec.usage);
  AddKeyIds(extensions, key_id, issuer == nullptr ? key_id : issuer->subject_key_id());
  if (!AddAlternativeNames(extensions, spec) || !AddCrlUrls(extensions, spec.crl_urls) ||
      !AddInfoAccess(extensions, spec)) {
    return {};
  }
  const Bytes issuer_name = issuer == nullptr ? subject : issuer->subject_der();
  const Bytes list = DerElement(kDerSequence, {extensions});
  return DerElement(kDerSequence, {kVersion3, ToDer(serial.get(), &i2d_ASN1_INTEGER),
                                   SignatureAlgorithm(issuer_key), issuer_name,
                                   DerElement(kDerSequence, {begin, end}), subject, spki,
                                   DerElement(kTagged3, {list})});
}

// `issuer` null: self-signed.
absl::StatusOr<Bytes> Content(const CertificateSpec& spec, const PublicKey& key,
                              const Certificate* issuer, const Signer& issuer_key) {
  const bool unnamed = spec.common_name.empty() && spec.uris.empty() && spec.dns_names.empty() &&
                       spec.ip_addresses.empty();
  if (unnamed || spec.not_after < spec.not_before) {
    return absl::InvalidArgumentError(
        "certificate needs a name, and must not end before it begins");
  }
  Bytes content = ToBeSigned(spec, key, issuer, issuer_key);
  if (content.empty()) {
    return OpenSslError(absl::StatusCode::kInvalidArgument,
                        fmt::format("certificate for '{}'", spec.common_name));
  }
  return content;
}

}  // namespace

absl::StatusOr<Bytes> CertificateContent(const CertificateSpec& spec, const PublicKey& subject,
                                         const Identity& issuer) {
  if (!issuer.certificate.is_ca()) {
    return absl::FailedPreconditionError("the issuing certificate is not one of a CA");
  }
  return Content(spec, subject, &issuer.certificate, issuer.key);
}

absl::StatusOr<Certificate> SignContent(std::span<const std::uint8_t> content, const Signer& key) {
  DT_ASSIGN_OR_RETURN(const Bytes der, SignDer(content, key));
  return Certificate::FromDer(der);
}

absl::StatusOr<Certificate> SignCertificate(const CertificateSpec& spec, const PublicKey& subject,
                                            const Identity& issuer) {
  DT_ASSIGN_OR_RETURN(const Bytes content, CertificateContent(spec, subject, issuer));
  return SignContent(content, issuer.key);
}

absl::StatusOr<Certificate> SignSelf(const CertificateSpec& spec, const Signer& key) {
  DT_ASSIGN_OR_RETURN(const Bytes content, Content(spec, key.public_key(), nullptr, key));
  return SignContent(content, key);
}

absl::StatusOr<std::string> NewSerial(WallTime now, Random& random) {
  return NewOrderedId(kSerialOctets, now, random);
}

}  // namespace devicetrust::pki
