#include "libs/pki/crl.h"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>

#include "libs/base/encoding.h"
#include "libs/pki/der.h"
#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

using Asn1EnumeratedPtr = Owned<ASN1_ENUMERATED, &ASN1_ENUMERATED_free>;
using DistributionPointPtr = Owned<ISSUING_DIST_POINT, &ISSUING_DIST_POINT_free>;
using DistributionPointsPtr = Owned<CRL_DIST_POINTS, &CRL_DIST_POINTS_free>;

// OBJECT IDENTIFIERs, whole elements (RFC 5280, appendix A).
constexpr std::array<std::uint8_t, 5> kAuthorityKeyOid = {0x06, 0x03, 0x55, 0x1d, 0x23};
constexpr std::array<std::uint8_t, 5> kCrlNumberOid = {0x06, 0x03, 0x55, 0x1d, 0x14};
constexpr std::array<std::uint8_t, 5> kDeltaOid = {0x06, 0x03, 0x55, 0x1d, 0x1b};
constexpr std::array<std::uint8_t, 5> kPartOid = {0x06, 0x03, 0x55, 0x1d, 0x1c};
constexpr std::array<std::uint8_t, 5> kFreshestOid = {0x06, 0x03, 0x55, 0x1d, 0x2e};
constexpr std::array<std::uint8_t, 3> kVersion2 = {0x02, 0x01, 0x01};
constexpr std::array<std::uint8_t, 3> kCritical = {0x01, 0x01, 0xff};
constexpr std::array<std::uint8_t, 3> kOfEndEntities = {0x81, 0x01, 0xff};
// An entry's extensions up to the reason's one octet: reasonCode, ENUMERATED.
constexpr std::array<std::uint8_t, 13> kReasonExtension = {0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55,
                                                           0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01};
constexpr std::uint8_t kUtcTime = 0x17;
constexpr std::uint8_t kGeneralizedTime = 0x18;
constexpr std::uint8_t kNameTag = 0xa0;  // [0], constructed.
constexpr std::uint8_t kUriTag = 0x86;
constexpr std::size_t kSerialOctetsMax = 20;

void AppendDigits(Bytes& out, unsigned number, int digits) {
  unsigned power = digits == 4 ? 1000 : 10;
  for (; power > 0; power /= 10) {
    out.push_back(static_cast<std::uint8_t>('0' + number / power % 10));
  }
}

// UTCTime up to 2049, then GeneralizedTime (section 5.1.2.4).
void AppendTime(Bytes& out, WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const bool is_short = year >= 1950 && year < 2050;
  out.push_back(is_short ? kUtcTime : kGeneralizedTime);
  out.push_back(is_short ? 13 : 15);
  AppendDigits(out, is_short ? year % 100 : year, is_short ? 2 : 4);
  AppendDigits(out, static_cast<unsigned>(date.month()), 2);
  AppendDigits(out, static_cast<unsigned>(date.day()), 2);
  AppendDigits(out, static_cast<unsigned>(clock.hours().count()), 2);
  AppendDigits(out, static_cast<unsigned>(clock.minutes().count()), 2);
  AppendDigits(out, static_cast<unsigned>(clock.seconds().count()), 2);
  out.push_back('Z');
}

Bytes TimeElement(WallTime time) {
  Bytes element;
  AppendTime(element, time);
  return element;
}

Bytes NumberElement(std::int64_t number) {
  Bytes octets;
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto octet = static_cast<std::uint8_t>(number >> shift);
    if (octets.empty() && octet == 0 && shift > 0) continue;
    if (octets.empty() && (octet & 0x80) != 0) octets.push_back(0);
    octets.push_back(octet);
  }
  return DerElement(kDerInteger, {octets});
}

// DistributionPointName: fullName of URIs.
Bytes PointName(const std::vector<std::string>& urls) {
  Bytes names;
  for (const std::string& url : urls) {
    const Bytes name = DerElement(kUriTag, {AsBytes(url)});
    names.insert(names.end(), name.begin(), name.end());
  }
  const Bytes full_name = DerElement(kNameTag, {names});
  return DerElement(kNameTag, {full_name});
}

Bytes Extension(DerSpan oid, bool critical, DerSpan value) {
  const Bytes octets = DerElement(kDerOctets, {value});
  return DerElement(kDerSequence, {oid, critical ? DerSpan(kCritical) : DerSpan(), octets});
}

Bytes Extensions(const Crl& crl, const Certificate& issuer) {
  Bytes authority;
  if (const auto id = issuer.subject_key_id(); !id.empty()) {
    const Bytes key_id = DerElement(0x80, {id});
    authority = Extension(kAuthorityKeyOid, false, DerElement(kDerSequence, {key_id}));
  }
  const Bytes number = Extension(kCrlNumberOid, false, NumberElement(crl.number));
  Bytes delta;
  if (crl.base_number) delta = Extension(kDeltaOid, true, NumberElement(*crl.base_number));
  Bytes part;
  if (!crl.part_urls.empty()) {
    const Bytes name = PointName(crl.part_urls);
    part = Extension(kPartOid, true, DerElement(kDerSequence, {name, kOfEndEntities}));
  }
  Bytes freshest;
  if (!crl.delta_url.empty()) {
    const Bytes name = PointName({crl.delta_url});
    const Bytes point = DerElement(kDerSequence, {name});
    freshest = Extension(kFreshestOid, false, DerElement(kDerSequence, {point}));
  }
  const Bytes list = DerElement(kDerSequence, {number, authority, delta, part, freshest});
  return DerElement(kNameTag, {list});
}

CrlReason ReasonOf(const X509_REVOKED* entry) {
  const Asn1EnumeratedPtr reason(static_cast<ASN1_ENUMERATED*>(
      X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  if (reason == nullptr) return CrlReason::kUnspecified;
  return static_cast<CrlReason>(ASN1_ENUMERATED_get(reason.get()));
}

bool HasUnknownCriticalExtension(const X509_CRL* list) {
  for (int i = 0; i < X509_CRL_get_ext_count(list); ++i) {
    X509_EXTENSION* const extension = X509_CRL_get_ext(list, i);
    const int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    const bool known = kind == NID_delta_crl || kind == NID_issuing_distribution_point;
    if (X509_EXTENSION_get_critical(extension) != 0 && !known) return true;
  }
  return false;
}

// The URIs of a name; false when there is anything else in it.
bool ReadUrls(const DIST_POINT_NAME* name, std::vector<std::string>& urls) {
  if (name == nullptr || name->type != 0) return false;
  const GENERAL_NAMES* const names = name->name.fullname;  // Borrowed.
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const one = sk_GENERAL_NAME_value(names, i);
    if (one->type != GEN_URI) return false;
    urls.push_back(ToString(BytesOf(one->d.uniformResourceIdentifier)));
  }
  return !urls.empty();
}

// What marks a part, a delta, and where deltas are. False: one of a kind that is not known here.
bool ReadMarks(const X509_CRL* list, Crl& crl) {
  int critical = -1;
  const DistributionPointPtr part(static_cast<ISSUING_DIST_POINT*>(
      X509_CRL_get_ext_d2i(list, NID_issuing_distribution_point, &critical, nullptr)));
  if (part == nullptr && critical != -1) return false;
  if (part != nullptr) {
    const bool known = part->onlyuser > 0 && part->onlyCA <= 0 && part->indirectCRL <= 0 &&
                       part->onlyattr <= 0 && part->onlysomereasons == nullptr;
    if (!known || !ReadUrls(part->distpoint, crl.part_urls)) return false;
  }
  const Asn1IntegerPtr base(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_delta_crl, &critical, nullptr)));
  if (base == nullptr && critical != -1) return false;
  if (base != nullptr) {
    std::int64_t number = 0;
    if (ASN1_INTEGER_get_int64(&number, base.get()) != 1) return false;
    crl.base_number = number;
  }
  const DistributionPointsPtr freshest(static_cast<CRL_DIST_POINTS*>(
      X509_CRL_get_ext_d2i(list, NID_freshest_crl, nullptr, nullptr)));
  std::vector<std::string> urls;
  if (freshest != nullptr && sk_DIST_POINT_num(freshest.get()) == 1 &&
      ReadUrls(sk_DIST_POINT_value(freshest.get(), 0)->distpoint, urls)) {
    crl.delta_url = urls.front();
  }
  return true;
}

}  // namespace

void AppendCrlEntry(Bytes& entries, std::span<const std::uint8_t> serial, WallTime revoked_at,
                    CrlReason reason) {
  const std::size_t begin = entries.size();
  entries.push_back(kDerSequence);
  entries.push_back(0);
  entries.push_back(kDerInteger);
  const bool padded = (serial.front() & 0x80) != 0;
  entries.push_back(static_cast<std::uint8_t>(serial.size() + (padded ? 1 : 0)));
  if (padded) entries.push_back(0);
  entries.insert(entries.end(), serial.begin(), serial.end());
  AppendTime(entries, revoked_at);
  if (reason != CrlReason::kUnspecified) {
    entries.insert(entries.end(), kReasonExtension.begin(), kReasonExtension.end());
    entries.push_back(static_cast<std::uint8_t>(reason));
  }
  entries[begin + 1] = static_cast<std::uint8_t>(entries.size() - begin - 2);  // Below 128.
}

absl::StatusOr<Bytes> BuildCrl(const Crl& crl, std::span<const std::uint8_t> entries,
                               const Identity& issuer) {
  if (crl.number < 0) return absl::InvalidArgumentError("a CRL number is not negative");
  const Bytes this_update = TimeElement(crl.this_update);
  const Bytes next_update = TimeElement(crl.next_update);
  const Bytes extensions = Extensions(crl, issuer.certificate);
  // Absent when there is none (section 5.1.2.6).
  const Bytes list = entries.empty() ? Bytes() : DerElement(kDerSequence, {entries});
  const Bytes content = DerElement(
      kDerSequence, {kVersion2, SignatureAlgorithm(issuer.key), issuer.certificate.subject_der(),
                     this_update, next_update, list, extensions});
  return SignDer(content, issuer.key);
}

absl::StatusOr<Bytes> BuildCrl(const Crl& crl, const Identity& issuer) {
  Bytes entries;
  for (const RevokedCertificate& revoked : crl.revoked) {
    const auto serial = HexDecode(revoked.serial_hex);
    const bool good = serial.ok() && !serial->empty() && serial->size() <= kSerialOctetsMax &&
                      (serial->front() != 0 || serial->size() == 1);
    if (!good) {
      return absl::InvalidArgumentError(
          fmt::format("CRL entry for serial '{}'", revoked.serial_hex));
    }
    AppendCrlEntry(entries, *serial, revoked.revoked_at, revoked.reason);
  }
  return BuildCrl(crl, entries, issuer);
}

absl::StatusOr<Crl> ParseCrl(std::span<const std::uint8_t> der, const Certificate& issuer) {
  const X509CrlPtr list = FromDer<X509CrlPtr>(der, &d2i_X509_CRL);
  if (list == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "not exactly one DER CRL");
  }
  if (HasUnknownCriticalExtension(list.get())) {
    return absl::InvalidArgumentError("CRL has a critical extension that is not known here");
  }
  const EvpPkeyPtr key(X509_get_pubkey(issuer.get()));
  if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_subject_name(issuer.get())) != 0 ||
      key == nullptr || X509_CRL_verify(list.get(), key.get()) != 1) {
    return OpenSslError(absl::StatusCode::kPermissionDenied, "CRL is not signed by this issuer");
  }

  Crl crl;
  const Asn1IntegerPtr number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(list.get(), NID_crl_number, nullptr, nullptr)));
  if (number == nullptr || ASN1_INTEGER_get_int64(&crl.number, number.get()) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "CRL number");
  }
  if (!ReadMarks(list.get(), crl)) {
    ClearErrors();
    return absl::InvalidArgumentError("CRL is of a part of the certificates not known here");
  }
  crl.this_update = TimeFromAsn1(X509_CRL_get0_lastUpdate(list.get()));
  crl.next_update = TimeFromAsn1(X509_CRL_get0_nextUpdate(list.get()));
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(list.get());  // Borrowed.
  for (int i = 0; entries != nullptr && i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    crl.revoked.push_back({SerialHex(X509_REVOKED_get0_serialNumber(entry)),
                           TimeFromAsn1(X509_REVOKED_get0_revocationDate(entry)), ReasonOf(entry)});
  }
  ClearErrors();
  return crl;
}

std::string CrlToPem(std::span<const std::uint8_t> der) {
  const X509CrlPtr list = FromDer<X509CrlPtr>(der, &d2i_X509_CRL);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (list == nullptr || PEM_write_bio_X509_CRL(bio.get(), list.get()) != 1) {
    ClearErrors();
    return {};
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // Borrowed.
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace devicetrust::pki
