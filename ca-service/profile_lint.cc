#include "ca-service/profile_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/pki/der.h"
#include "libs/pki/digest.h"
#include "libs/token/names.h"

namespace devicetrust::ca {
namespace {

using pki::DerElement;
using pki::DerSpan;
using pki::TakeContent;
using pki::TakeElement;

constexpr std::uint8_t kOidTag = 0x06;
constexpr std::uint8_t kUtf8Tag = 0x0c;
constexpr std::uint8_t kUtcTimeTag = 0x17;
constexpr std::uint8_t kGeneralizedTimeTag = 0x18;
constexpr std::uint8_t kSetTag = 0x31;
constexpr std::uint8_t kUriTag = 0x86;
constexpr std::uint8_t kVersionTag = 0xa0;
constexpr std::uint8_t kExtensionsTag = 0xa3;
constexpr std::uint8_t kTagged0 = 0xa0;
constexpr std::uint8_t kKeyIdTag = 0x80;

constexpr std::size_t kSerialOctetsMin = 16;
constexpr std::size_t kSerialOctetsMax = 20;
constexpr std::size_t kPointOctets = 65;  // Of P-256, uncompressed: the end of its SPKI.
constexpr std::size_t kKeyIdOctets = 20;

// SubjectPublicKeyInfo of P-256 up to the point (RFC 5480).
constexpr std::array<std::uint8_t, 26> kP256Prefix = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

constexpr std::array<std::uint8_t, 3> kCommonNameOid = {0x55, 0x04, 0x03};
constexpr std::array<std::uint8_t, 1> kVersion3 = {2};

// Whole values of extensions that say the same in every certificate.
constexpr std::array<std::uint8_t, 2> kNoCa = {0x30, 0x00};
constexpr std::array<std::uint8_t, 4> kDigitalSignature = {0x03, 0x02, 0x07, 0x80};
constexpr std::array<std::uint8_t, 12> kClientAuth = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                                      0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

constexpr std::array<std::uint8_t, 8> kOcspOid = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01};
constexpr std::array<std::uint8_t, 8> kCaIssuersOid = {0x2b, 0x06, 0x01, 0x05,
                                                       0x05, 0x07, 0x30, 0x02};

absl::Status Deviates(std::string_view field) {
  return absl::InternalError(
      fmt::format("the certificate to be signed deviates from the profile in {}", field));
}

std::string_view TextOf(DerSpan octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

bool Is(const std::optional<DerSpan>& found, DerSpan wanted) {
  return found && std::ranges::equal(*found, wanted);
}

// RFC 5280, section 4.1.2.5: two digits of the year until 2049, then four.
Bytes TimeElement(WallTime at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{seconds - day};
  const int year = static_cast<int>(date.year());
  const bool two_digits = year < 2050;
  const std::string text = fmt::format(
      "{:0{}}{:02}{:02}{:02}{:02}{:02}Z", two_digits ? year % 100 : year, two_digits ? 2 : 4,
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
      time.minutes().count(), time.seconds().count());
  return DerElement(two_digits ? kUtcTimeTag : kGeneralizedTimeTag, {AsBytes(text)});
}

bool IsGoodSerial(const std::optional<DerSpan>& serial) {
  return serial && serial->size() >= kSerialOctetsMin && serial->size() <= kSerialOctetsMax &&
         (*serial)[0] < 0x80 && ((*serial)[0] != 0 || (*serial)[1] >= 0x80);
}

// A URI that begins with the CA's public address.
bool IsOwnUri(const std::optional<DerSpan>& uri, const ExpectedCertificate& expected) {
  return uri && TextOf(*uri).starts_with(expected.spec.public_url + "/");
}

bool IsKeyId(DerSpan value, const ExpectedCertificate& expected) {
  const Bytes spki = expected.key.Spki();
  const pki::Sha256Digest digest = pki::Sha256(DerSpan(spki).last(kPointOctets));
  return std::ranges::equal(value,
                            DerElement(pki::kDerOctets, {DerSpan(digest).first(kKeyIdOctets)}));
}

bool IsAuthorityKeyId(DerSpan value, const ExpectedCertificate& expected) {
  const Bytes id = expected.issuer.subject_key_id();
  return std::ranges::equal(value,
                            DerElement(pki::kDerSequence, {DerElement(kKeyIdTag, {DerSpan(id)})}));
}

bool IsAlternativeName(DerSpan value, const ExpectedCertificate& expected) {
  const DeviceSpec& spec = expected.spec;
  const std::string device = token::Urn(spec.org, "device", spec.device_id);
  const std::string enrollment = token::Urn(spec.org, "enrollment", spec.enrollment_id);
  return std::ranges::equal(
      value, DerElement(pki::kDerSequence, {DerElement(kUriTag, {AsBytes(device)}),
                                            DerElement(kUriTag, {AsBytes(enrollment)})}));
}

// One DistributionPoint with one URI, and neither reasons nor another issuer.
bool IsCrlPoint(DerSpan value, const ExpectedCertificate& expected) {
  auto points = TakeContent(value, pki::kDerSequence);
  if (!points || !value.empty()) return false;
  auto point = TakeContent(*points, pki::kDerSequence);
  if (!point || !points->empty()) return false;
  auto name = TakeContent(*point, kTagged0);
  if (!name || !point->empty()) return false;
  auto full = TakeContent(*name, kTagged0);
  if (!full || !name->empty()) return false;
  const auto uri = TakeContent(*full, kUriTag);
  return full->empty() && IsOwnUri(uri, expected);
}

// caIssuers once, and the OCSP responder once.
bool IsInfoAccess(DerSpan value, const ExpectedCertificate& expected) {
  auto list = TakeContent(value, pki::kDerSequence);
  if (!list || !value.empty()) return false;
  int ca_issuers = 0;
  int ocsp = 0;
  while (!list->empty()) {
    auto access = TakeContent(*list, pki::kDerSequence);
    if (!access) return false;
    const auto method = TakeContent(*access, kOidTag);
    const auto uri = TakeContent(*access, kUriTag);
    if (!method || !access->empty() || !IsOwnUri(uri, expected)) return false;
    if (std::ranges::equal(*method, kCaIssuersOid)) {
      ++ca_issuers;
    } else if (std::ranges::equal(*method, kOcspOid) &&
               TextOf(*uri) == expected.spec.public_url + kOcspPath) {
      ++ocsp;
    } else {
      return false;
    }
  }
  return ca_issuers == 1 && ocsp == 1;
}

struct Rule {
  std::string_view name;
  std::array<std::uint8_t, 8> oid;
  std::size_t oid_octets;
  bool critical;
  bool (*is_good)(DerSpan value, const ExpectedCertificate& expected);

  DerSpan Oid() const { return DerSpan(oid).first(oid_octets); }
};

constexpr auto kRules = std::to_array<Rule>({
    {"basicConstraints",
     {0x55, 0x1d, 19},
     3,
     true,
     [](DerSpan value, const ExpectedCertificate&) { return std::ranges::equal(value, kNoCa); }},
    {"keyUsage",
     {0x55, 0x1d, 15},
     3,
     true,
     [](DerSpan value, const ExpectedCertificate&) {
       return std::ranges::equal(value, kDigitalSignature);
     }},
    {"extendedKeyUsage",
     {0x55, 0x1d, 37},
     3,
     false,
     [](DerSpan value, const ExpectedCertificate&) {
       return std::ranges::equal(value, kClientAuth);
     }},
    {"subjectKeyIdentifier", {0x55, 0x1d, 14}, 3, false, &IsKeyId},
    {"authorityKeyIdentifier", {0x55, 0x1d, 35}, 3, false, &IsAuthorityKeyId},
    {"subjectAltName", {0x55, 0x1d, 17}, 3, false, &IsAlternativeName},
    {"cRLDistributionPoints", {0x55, 0x1d, 31}, 3, false, &IsCrlPoint},
    {"authorityInfoAccess",
     {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01},
     8,
     false,
     &IsInfoAccess},
});

// All of the rules, each once, and nothing besides.
absl::Status LintExtensions(DerSpan list, const ExpectedCertificate& expected) {
  std::array<bool, kRules.size()> seen{};
  while (!list.empty()) {
    auto extension = TakeContent(list, pki::kDerSequence);
    if (!extension) return Deviates("the form of its extensions");
    const auto oid = TakeContent(*extension, kOidTag);
    if (!oid) return Deviates("the form of its extensions");
    const auto rule = std::ranges::find_if(
        kRules, [&](const Rule& candidate) { return std::ranges::equal(candidate.Oid(), *oid); });
    if (rule == kRules.end()) return Deviates("an extension that it must not have");
    bool& once = seen[static_cast<std::size_t>(rule - kRules.begin())];
    if (once) return Deviates(fmt::format("a second {}", rule->name));
    once = true;
    const auto critical = TakeContent(*extension, pki::kDerBoolean);
    if (critical.has_value() != rule->critical || (critical && (*critical)[0] != 0xff)) {
      return Deviates(fmt::format("whether {} is critical", rule->name));
    }
    const auto value = TakeContent(*extension, pki::kDerOctets);
    if (!value || !extension->empty() || !rule->is_good(*value, expected)) {
      return Deviates(rule->name);
    }
  }
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (!seen[i]) return Deviates(fmt::format("{}, which is missing", kRules[i].name));
  }
  return absl::OkStatus();
}

bool IsSubject(const std::optional<DerSpan>& found, const DeviceSpec& spec) {
  const Bytes name = DerElement(
      pki::kDerSequence,
      {DerElement(kSetTag, {DerElement(pki::kDerSequence,
                                       {DerElement(kOidTag, {kCommonNameOid}),
                                        DerElement(kUtf8Tag, {AsBytes(spec.device_id)})})})});
  return Is(found, name);
}

bool IsValidity(std::optional<DerSpan> found, const ExpectedCertificate& expected) {
  const WallTime end =
      std::min(expected.now + expected.profile.validity, expected.issuer.not_after());
  return Is(found,
            DerElement(pki::kDerSequence,
                       {TimeElement(expected.now - expected.profile.backdate), TimeElement(end)}));
}

bool IsKey(const std::optional<DerSpan>& found, const pki::PublicKey& key) {
  return Is(found, key.Spki()) && found->size() == kP256Prefix.size() + kPointOctets &&
         std::ranges::equal(found->first(kP256Prefix.size()), kP256Prefix);
}

}  // namespace

absl::Status LintDeviceCertificate(std::span<const std::uint8_t> content,
                                   const ExpectedCertificate& expected) {
  DerSpan rest = content;
  auto fields = TakeContent(rest, pki::kDerSequence);
  if (!fields || !rest.empty()) return Deviates("its form");
  auto version = TakeContent(*fields, kVersionTag);
  if (!version || !Is(TakeContent(*version, pki::kDerInteger), kVersion3) || !version->empty()) {
    return Deviates("its version");
  }
  if (!IsGoodSerial(TakeContent(*fields, pki::kDerInteger))) return Deviates("its serial number");
  if (!Is(TakeElement(*fields, pki::kDerSequence), pki::kEcdsaWithSha256)) {
    return Deviates("its signature algorithm");
  }
  if (!Is(TakeElement(*fields, pki::kDerSequence), expected.issuer.subject_der())) {
    return Deviates("its issuer's name");
  }
  if (!IsValidity(TakeElement(*fields, pki::kDerSequence), expected)) return Deviates("its times");
  if (!IsSubject(TakeElement(*fields, pki::kDerSequence), expected.spec)) {
    return Deviates("its subject");
  }
  if (!IsKey(TakeElement(*fields, pki::kDerSequence), expected.key)) return Deviates("its key");
  auto tagged = TakeContent(*fields, kExtensionsTag);
  if (!tagged || !fields->empty()) return Deviates("the form of its extensions");
  const auto extensions = TakeContent(*tagged, pki::kDerSequence);
  if (!extensions || !tagged->empty()) return Deviates("the form of its extensions");
  return LintExtensions(*extensions, expected);
}

}  // namespace devicetrust::ca
