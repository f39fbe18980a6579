#include "libs/pki/ocsp.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/encoding.h"
#include "libs/pki/der.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

constexpr std::uint8_t kOidTag = 0x06;
constexpr std::uint8_t kEnumeratedTag = 0x0a;
constexpr std::uint8_t kGeneralizedTimeTag = 0x18;
// Context-specific: constructed (EXPLICIT, or of RevokedInfo), and primitive ones (of NULL).
constexpr std::uint8_t kContext0 = 0xa0;
constexpr std::uint8_t kContext1 = 0xa1;
constexpr std::uint8_t kContext2 = 0xa2;
constexpr std::uint8_t kGoodTag = 0x80;
constexpr std::uint8_t kUnknownTag = 0x82;

constexpr std::array<std::uint8_t, 3> kVersion1 = {0x02, 0x01, 0x00};
constexpr std::array<std::uint8_t, 1> kTrueOctet = {0xff};
// AlgorithmIdentifiers, with NULL for parameters as OpenSSL writes them, and without.
constexpr std::array<std::uint8_t, 11> kSha1Null = {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                                                    0x03, 0x02, 0x1a, 0x05, 0x00};
constexpr std::array<std::uint8_t, 9> kSha1Bare = {0x30, 0x07, 0x06, 0x05, 0x2b,
                                                   0x0e, 0x03, 0x02, 0x1a};
constexpr std::array<std::uint8_t, 15> kSha256Null = {
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00};
constexpr std::array<std::uint8_t, 13> kSha256Bare = {0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                                      0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
// Below id-pkix-ocsp (1.3.6.1.5.5.7.48.1), content of the identifiers.
constexpr std::array<std::uint8_t, 9> kNonceOid = {0x2b, 0x06, 0x01, 0x05, 0x05,
                                                   0x07, 0x30, 0x01, 0x02};
constexpr std::array<std::uint8_t, 9> kBasicOid = {0x2b, 0x06, 0x01, 0x05, 0x05,
                                                   0x07, 0x30, 0x01, 0x01};

bool Same(DerSpan a, DerSpan b) { return std::ranges::equal(a, b); }

OcspHash HashNamed(DerSpan algorithm) {
  if (Same(algorithm, kSha1Null) || Same(algorithm, kSha1Bare)) return OcspHash::kSha1;
  if (Same(algorithm, kSha256Null) || Same(algorithm, kSha256Bare)) return OcspHash::kSha256;
  return OcspHash::kOther;
}

// The shortest form, as DER wants it (X.690, section 8.3.2).
bool IsInteger(DerSpan content) {
  if (content.empty()) return false;
  if (content.size() == 1) return true;
  const bool next_is_negative = (content[1] & 0x80) != 0;
  return !(content[0] == 0x00 && !next_is_negative) && !(content[0] == 0xff && next_is_negative);
}

std::optional<OcspCertId> ReadCertId(DerSpan der) {
  OcspCertId id;
  id.der = der;
  auto content = TakeContent(der, kDerSequence);
  const auto algorithm = TakeElement(*content, kDerSequence);
  const auto name = TakeContent(*content, kDerOctets);
  const auto key = TakeContent(*content, kDerOctets);
  const auto serial = TakeContent(*content, kDerInteger);
  if (!algorithm || !name || !key || !serial || !content->empty() || !IsInteger(*serial)) {
    return std::nullopt;
  }
  id.hash = HashNamed(*algorithm);
  id.issuer_name_hash = *name;
  id.issuer_key_hash = *key;
  id.serial = *serial;
  return id;
}

// Octets of the nonce in an extension's value: an OCTET STRING of its own, as RFC 6960 wants it,
// or the bare octets that older clients send.
std::size_t NonceBytes(DerSpan value) {
  DerSpan rest = value;
  const auto inner = TakeContent(rest, kDerOctets);
  return inner && rest.empty() ? inner->size() : value.size();
}

Bytes Digest(const EVP_MD* type, DerSpan data) {
  Bytes digest(static_cast<std::size_t>(EVP_MD_get_size(type)));
  const int done = EVP_Digest(data.data(), data.size(), digest.data(), nullptr, type, nullptr);
  DT_CHECK(done == 1);
  return digest;
}

// The bits of the key, without how many are unused: what key hashes are made of.
Bytes KeyBits(const Certificate& certificate) {
  const ASN1_BIT_STRING* bits = X509_get0_pubkey_bitstr(certificate.get());  // Borrowed.
  return BytesOf(bits);
}

// GeneralizedTime as RFC 5280, section 4.1.2.5.2, writes it; empty for what it cannot.
Bytes TimeElement(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  if (UnixSeconds(time) < 0) return {};
  const std::string text =
      fmt::format("{:04}{:02}{:02}{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  return DerElement(kGeneralizedTimeTag, {AsBytes(text)});
}

// CertStatus. Empty: a time that can't be written.
Bytes StatusElement(const OcspCertStatus& status) {
  if (status.status == OcspStatus::kGood) return {kGoodTag, 0};
  if (status.status == OcspStatus::kUnknown) return {kUnknownTag, 0};
  const Bytes at = TimeElement(status.revoked_at);
  if (at.empty()) return {};
  if (status.reason == CrlReason::kUnspecified) return DerElement(kContext1, {at});
  const auto code = static_cast<std::uint8_t>(status.reason);
  return DerElement(kContext1, {at, DerElement(kContext0, {Bytes{kEnumeratedTag, 1, code}})});
}

}  // namespace

std::string OcspCertId::serial_hex() const {
  DerSpan digits = serial;
  if (digits.empty() || (digits[0] & 0x80) != 0) return {};
  if (digits[0] == 0) digits = digits.subspan(1);
  if (digits.empty() || digits.size() > 20) return {};
  return HexEncode(digits);
}

absl::StatusOr<OcspRequest> OcspRequest::Parse(Bytes der) {
  if (der.empty() || der.size() > kOcspRequestBytesMax) {
    return absl::InvalidArgumentError(
        fmt::format("an OCSP request must have 1 to {} octets", kOcspRequestBytesMax));
  }
  OcspRequest request;
  request.der_ = std::move(der);
  if (!request.Read()) {
    return absl::InvalidArgumentError(
        fmt::format("not exactly one OCSP request in DER about 1 to {} certificates", kOcspIdsMax));
  }
  return request;
}

bool OcspRequest::Read() {
  DerSpan rest(der_);
  auto whole = TakeContent(rest, kDerSequence);
  if (!whole || !rest.empty()) return false;
  auto content = TakeContent(*whole, kDerSequence);
  if (!content) return false;
  if (!whole->empty()) TakeElement(*whole, kContext0);  // A signature.
  if (!whole->empty()) return false;

  if (const auto version = TakeContent(*content, kContext0)) {
    if (!Same(*version, kVersion1)) return false;
  }
  TakeElement(*content, kContext1);  // The requestor's name.
  const auto list = TakeContent(*content, kDerSequence);
  if (!list || !ReadIds(*list)) return false;
  if (const auto extensions = TakeContent(*content, kContext2)) {
    if (!ReadExtensions(*extensions, true)) return false;
  }
  return content->empty();
}

bool OcspRequest::ReadIds(DerSpan list) {
  while (!list.empty()) {
    if (ids_.size() == kOcspIdsMax) return false;
    auto single = TakeContent(list, kDerSequence);
    const auto cert_id = single ? TakeElement(*single, kDerSequence) : std::nullopt;
    const auto id = cert_id ? ReadCertId(*cert_id) : std::nullopt;
    if (!id) return false;
    if (const auto extensions = TakeContent(*single, kContext0)) {
      if (!ReadExtensions(*extensions, false)) return false;
    }
    if (!single->empty()) return false;
    ids_.push_back(*id);
  }
  return !ids_.empty();
}

bool OcspRequest::ReadExtensions(DerSpan explicit_content, bool of_request) {
  auto list = TakeContent(explicit_content, kDerSequence);
  if (!list || list->empty() || !explicit_content.empty()) return false;
  bool has_nonce = false;
  while (!list->empty()) {
    const auto extension = TakeElement(*list, kDerSequence);
    if (!extension) return false;
    DerSpan rest = *extension;
    auto parts = TakeContent(rest, kDerSequence);
    const auto oid = TakeContent(*parts, kOidTag);
    const auto critical = TakeContent(*parts, kDerBoolean);
    const auto value = TakeContent(*parts, kDerOctets);
    if (!oid || !value || !parts->empty() || (critical && !Same(*critical, kTrueOctet))) {
      return false;
    }
    if (!of_request || !Same(*oid, kNonceOid)) {
      if (critical) return false;  // What it asks for is not understood (RFC 6960, section 4.4).
      continue;
    }
    if (has_nonce) return false;
    has_nonce = true;
    const std::size_t size = NonceBytes(*value);
    if (size >= 1 && size <= kOcspNonceBytesMax) nonce_ = *extension;
  }
  return true;
}

OcspIssuer::OcspIssuer(const Certificate& issuer) {
  const Bytes name = issuer.subject_der();
  const Bytes key = KeyBits(issuer);
  hashes_[static_cast<std::size_t>(OcspHash::kSha1)] = {Digest(EVP_sha1(), name),
                                                        Digest(EVP_sha1(), key)};
  hashes_[static_cast<std::size_t>(OcspHash::kSha256)] = {Digest(EVP_sha256(), name),
                                                          Digest(EVP_sha256(), key)};
}

bool OcspIssuer::Is(const OcspCertId& id) const {
  if (id.hash == OcspHash::kOther) return false;
  const Hashes& own = hashes_[static_cast<std::size_t>(id.hash)];
  return Same(own.key, id.issuer_key_hash) && Same(own.name, id.issuer_name_hash);
}

OcspSigner::OcspSigner(Identity delegate)
    : delegate_(std::move(delegate)),
      responder_id_(DerElement(
          kContext2,
          {DerElement(kDerOctets, {Digest(EVP_sha1(), KeyBits(delegate_.certificate))})})),
      certificates_(
          DerElement(kContext0, {DerElement(kDerSequence, {delegate_.certificate.der()})})) {}

absl::StatusOr<Bytes> OcspSigner::Sign(const OcspAnswer& answer) const {
  const Bytes produced_at = TimeElement(answer.produced_at);
  const Bytes this_update = TimeElement(answer.this_update);
  const Bytes next_update = TimeElement(answer.next_update);
  bool writable = !produced_at.empty() && !this_update.empty() && !next_update.empty();
  const Bytes ends = DerElement(kContext0, {next_update});
  Bytes singles;
  for (const OcspAnswer::Single& single : answer.singles) {
    const Bytes status = StatusElement(single.status);
    writable = writable && !status.empty();
    const Bytes element = DerElement(kDerSequence, {single.cert_id, status, this_update, ends});
    singles.insert(singles.end(), element.begin(), element.end());
  }
  if (!writable) return absl::InvalidArgumentError("an OCSP answer has a time before 1970");
  Bytes extensions;
  if (!answer.nonce.empty()) {
    extensions = DerElement(kContext1, {DerElement(kDerSequence, {answer.nonce})});
  }
  const Bytes content = DerElement(
      kDerSequence, {responder_id_, produced_at, DerElement(kDerSequence, {singles}), extensions});
  DT_ASSIGN_OR_RETURN(const Bytes signature, delegate_.key.Sign(content));
  constexpr std::array<std::uint8_t, 1> kNoUnusedBits = {0};
  const Bytes basic =
      DerElement(kDerSequence, {content, SignatureAlgorithm(delegate_.key),
                                DerElement(kDerBits, {kNoUnusedBits, signature}), certificates_});
  const Bytes typed =
      DerElement(kDerSequence, {DerElement(kOidTag, {kBasicOid}), DerElement(kDerOctets, {basic})});
  constexpr std::array<std::uint8_t, 3> kSuccessful = {kEnumeratedTag, 1, 0};
  return DerElement(kDerSequence, {kSuccessful, DerElement(kContext0, {typed})});
}

Bytes OcspErrorResponse(OcspError error) {
  return DerElement(kDerSequence, {Bytes{kEnumeratedTag, 1, static_cast<std::uint8_t>(error)}});
}

}  // namespace devicetrust::pki
