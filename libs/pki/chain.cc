#include "libs/pki/chain.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "libs/pki/openssl.h"

namespace devicetrust::pki {
namespace {

constexpr std::size_t kLeafBytesMax = 8 * 1024;

}  // namespace

std::string_view Name(DeviceVerdict verdict) {
  switch (verdict) {
    case DeviceVerdict::kNone:
      return "no_certificate";
    case DeviceVerdict::kGood:
      return "good";
    case DeviceVerdict::kForeignIssuer:
      return "foreign_issuer";
    case DeviceVerdict::kBadSignature:
      return "bad_signature";
    case DeviceVerdict::kNotYetValid:
      return "not_yet_valid";
    case DeviceVerdict::kExpired:
      return "expired";
    case DeviceVerdict::kWrongUsage:
      return "wrong_usage";
    case DeviceVerdict::kCriticalExtension:
      return "critical_extension";
    case DeviceVerdict::kMalformed:
      return "malformed";
  }
  return "malformed";
}

std::size_t DeviceVerifier::DigestHash::operator()(const Sha256Digest& digest) const {
  std::size_t hash = 0;  // Any eight octets of a SHA-256 are as good as a hash.
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

DeviceVerifier::DeviceVerifier(std::vector<Certificate> issuers, const Clock& clock,
                               std::size_t cache_max)
    : issuers_(std::move(issuers)), clock_(clock), cache_entries_max_(cache_max) {}

absl::StatusOr<std::unique_ptr<DeviceVerifier>> DeviceVerifier::Create(
    std::vector<Certificate> issuers, const Clock& clock, std::size_t cache_entries_max) {
  if (issuers.empty()) return absl::InvalidArgumentError("no device CA certificate");
  for (const Certificate& issuer : issuers) {
    if (!issuer.is_ca()) {
      return absl::InvalidArgumentError("device CA certificate is not one of a CA: " +
                                        issuer.common_name());
    }
    if (X509_get_ext_by_NID(issuer.get(), NID_name_constraints, -1) >= 0) {
      return absl::InvalidArgumentError("device CA certificate has name constraints: " +
                                        issuer.common_name());
    }
  }
  std::vector<Certificate> issuing;
  for (const Certificate& one : issuers) {
    const bool certifies_another =
        std::any_of(issuers.begin(), issuers.end(), [&one](const Certificate& other) {
          return X509_cmp(one.get(), other.get()) != 0 &&
                 X509_check_issued(one.get(), other.get()) == X509_V_OK;
        });
    if (!certifies_another) issuing.push_back(one);
  }
  return std::unique_ptr<DeviceVerifier>(
      new DeviceVerifier(std::move(issuing), clock, cache_entries_max));
}

DeviceVerdict DeviceVerifier::Check(const Certificate& leaf) const {
  const Bytes der = leaf.der();
  if (der.empty() || der.size() > kLeafBytesMax) {
    ClearErrors();
    return DeviceVerdict::kMalformed;
  }
  const Sha256Digest digest = Sha256(der);
  std::optional<Validity> validity;
  {
    const MutexLock lock(mutex_);
    if (const Validity* found = Find(digest)) validity = *found;
  }
  if (!validity) {
    const DeviceVerdict verdict = CheckUncached(leaf);
    ClearErrors();
    if (verdict != DeviceVerdict::kGood) return verdict;
    validity = Validity{leaf.not_before(), leaf.not_after()};
    Remember(digest, *validity);
  }
  // Dates last, at each call: a cached certificate expires too.
  const WallTime now = clock_.Now();
  if (now < validity->not_before) return DeviceVerdict::kNotYetValid;
  // The last second belongs to the validity (RFC 5280, section 4.1.2.5).
  if (now >= validity->not_after + std::chrono::seconds(1)) return DeviceVerdict::kExpired;
  return DeviceVerdict::kGood;
}

DeviceVerdict DeviceVerifier::CheckUncached(const Certificate& leaf) const {
  X509* x509 = leaf.get();
  const std::uint32_t flags = X509_get_extension_flags(x509);
  if ((flags & EXFLAG_INVALID) != 0) return DeviceVerdict::kMalformed;
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(nullptr, &outer, x509);
  if (X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x509)) != 0 || leaf.serial_hex().empty()) {
    return DeviceVerdict::kMalformed;
  }

  DeviceVerdict verdict = DeviceVerdict::kForeignIssuer;
  for (const Certificate& issuer : issuers_) {
    // Names, key identifiers, and that the issuer may sign certificates.
    if (X509_check_issued(issuer.get(), x509) != X509_V_OK) continue;
    const EVP_PKEY* key = X509_get0_pubkey(issuer.get());  // Borrowed.
    verdict = X509_verify(x509, const_cast<EVP_PKEY*>(key)) == 1 ? DeviceVerdict::kGood
                                                                 : DeviceVerdict::kBadSignature;
    if (verdict == DeviceVerdict::kGood) break;
  }
  if (verdict != DeviceVerdict::kGood) return verdict;

  if ((flags & EXFLAG_CRITICAL) != 0) return DeviceVerdict::kCriticalExtension;
  const bool client =
      leaf.allows_client_auth() && X509_check_purpose(x509, X509_PURPOSE_SSL_CLIENT, 0) == 1;
  if (!client || (flags & EXFLAG_CA) != 0) return DeviceVerdict::kWrongUsage;
  return DeviceVerdict::kGood;
}

const DeviceVerifier::Validity* DeviceVerifier::Find(const Sha256Digest& digest) const {
  if (const auto it = younger_.find(digest); it != younger_.end()) return &it->second;
  if (const auto it = older_.find(digest); it != older_.end()) return &it->second;
  return nullptr;
}

void DeviceVerifier::Remember(const Sha256Digest& digest, Validity validity) const {
  if (cache_entries_max_ == 0) return;
  const MutexLock lock(mutex_);
  if (younger_.size() >= cache_entries_max_) {
    older_ = std::move(younger_);
    younger_ = Cache();
  }
  younger_.emplace(digest, validity);
}

}  // namespace devicetrust::pki
