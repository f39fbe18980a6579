#include "libs/pki/certificate_validator.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "libs/pki/der.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"

namespace devicetrust::pki {
namespace {

constexpr std::size_t kLeafBytesMax = 8 * 1024;

}  // namespace

std::string_view Name(CertificateVerdict verdict) {
  switch (verdict) {
    case CertificateVerdict::kNone:
      return "no_certificate";
    case CertificateVerdict::kValid:
      return "valid";
    case CertificateVerdict::kUnknownIssuer:
      return "unknown_issuer";
    case CertificateVerdict::kBadSignature:
      return "bad_signature";
    case CertificateVerdict::kNotYetValid:
      return "not_yet_valid";
    case CertificateVerdict::kExpired:
      return "expired";
    case CertificateVerdict::kWrongUsage:
      return "wrong_usage";
    case CertificateVerdict::kUnknownCriticalExtension:
      return "unknown_critical_extension";
    case CertificateVerdict::kMalformed:
      return "malformed";
  }
  return "malformed";
}

bool IsIssuedBy(const Certificate& certificate, const Certificate& issuer) {
  // Names, key identifiers, and that the issuer may sign certificates.
  bool issued = X509_check_issued(issuer.get(), certificate.get()) == X509_V_OK;
  if (issued) {
    const EVP_PKEY* key = X509_get0_pubkey(issuer.get());  // Borrowed.
    issued = X509_verify(certificate.get(), const_cast<EVP_PKEY*>(key)) == 1;
  }
  ClearErrors();
  return issued;
}

struct CertificateValidator::Issuer {
  explicit Issuer(const Certificate& anchor) : certificate(anchor) {
    if (const absl::StatusOr<PublicKey> key = anchor.public_key(); key.ok()) {
      table = P256Table::For(key->get());
    }
  }

  bool Signed(X509* leaf, const Bytes& der) const {
    const auto parts = table == nullptr ? std::nullopt : SplitEcdsaSigned(der);
    if (parts) return table->Verify(Sha256(parts->content), parts->signature);
    const EVP_PKEY* key = X509_get0_pubkey(certificate.get());  // Borrowed.
    return X509_verify(leaf, const_cast<EVP_PKEY*>(key)) == 1;
  }

  Certificate certificate;
  std::unique_ptr<const P256Table> table;  // Null: not a P-256 key.
};

std::size_t CertificateValidator::DigestHash::operator()(const Sha256Digest& digest) const {
  std::size_t hash = 0;  // Any eight octets of a SHA-256 are as good as a hash.
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

CertificateValidator::CertificateValidator(std::vector<Certificate> trust_anchors,
                                           const Clock& clock, std::size_t cache_max)
    : trust_anchors_(std::move(trust_anchors)),
      issuers_(trust_anchors_.begin(), trust_anchors_.end()),
      clock_(clock),
      cache_entries_max_(cache_max) {}
CertificateValidator::~CertificateValidator() = default;

absl::StatusOr<std::unique_ptr<CertificateValidator>> CertificateValidator::Create(
    std::vector<Certificate> trust_anchors, const Clock& clock, std::size_t cache_entries_max) {
  if (trust_anchors.empty()) return absl::InvalidArgumentError("no trust anchor");
  for (const Certificate& anchor : trust_anchors) {
    if (!anchor.is_ca()) {
      return absl::InvalidArgumentError("the certificate of a trust anchor is not one of a CA: " +
                                        anchor.common_name());
    }
    if (X509_get_ext_by_NID(anchor.get(), NID_name_constraints, -1) >= 0) {
      return absl::InvalidArgumentError("the certificate of a trust anchor has name constraints: " +
                                        anchor.common_name());
    }
  }
  std::vector<Certificate> issuing;
  for (const Certificate& one : trust_anchors) {
    const bool certifies_another =
        std::any_of(trust_anchors.begin(), trust_anchors.end(), [&one](const Certificate& other) {
          return X509_cmp(one.get(), other.get()) != 0 &&
                 X509_check_issued(one.get(), other.get()) == X509_V_OK;
        });
    if (!certifies_another) issuing.push_back(one);
  }
  return std::unique_ptr<CertificateValidator>(
      new CertificateValidator(std::move(issuing), clock, cache_entries_max));
}

CertificateVerdict CertificateValidator::Check(const Certificate& leaf) const {
  const Bytes der = leaf.der();
  if (der.empty() || der.size() > kLeafBytesMax) {
    ClearErrors();
    return CertificateVerdict::kMalformed;
  }
  const Sha256Digest digest = Sha256(der);
  std::optional<Validity> validity;
  {
    const MutexLock lock(mutex_);
    if (const Validity* found = Find(digest)) validity = *found;
  }
  if (!validity) {
    const CertificateVerdict verdict = CheckUncached(leaf, der);
    ClearErrors();
    if (verdict != CertificateVerdict::kValid) return verdict;
    validity = Validity{leaf.not_before(), leaf.not_after()};
    Remember(digest, *validity);
  }
  // Dates last, at each call: a cached certificate expires too.
  const WallTime now = clock_.Now();
  if (now < validity->not_before) return CertificateVerdict::kNotYetValid;
  // The last second belongs to the validity (RFC 5280, section 4.1.2.5).
  if (now >= validity->not_after + std::chrono::seconds(1)) return CertificateVerdict::kExpired;
  return CertificateVerdict::kValid;
}

CertificateVerdict CertificateValidator::CheckUncached(const Certificate& leaf,
                                                       const Bytes& der) const {
  X509* x509 = leaf.get();
  const std::uint32_t flags = X509_get_extension_flags(x509);
  if ((flags & EXFLAG_INVALID) != 0) return CertificateVerdict::kMalformed;
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(nullptr, &outer, x509);
  if (X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x509)) != 0 || leaf.serial_hex().empty()) {
    return CertificateVerdict::kMalformed;
  }

  CertificateVerdict verdict = CertificateVerdict::kUnknownIssuer;
  for (const Issuer& issuer : issuers_) {
    // Names, key identifiers, and that the issuer may sign certificates.
    if (X509_check_issued(issuer.certificate.get(), x509) != X509_V_OK) continue;
    verdict =
        issuer.Signed(x509, der) ? CertificateVerdict::kValid : CertificateVerdict::kBadSignature;
    if (verdict == CertificateVerdict::kValid) break;
  }
  if (verdict != CertificateVerdict::kValid) return verdict;

  if ((flags & EXFLAG_CRITICAL) != 0) return CertificateVerdict::kUnknownCriticalExtension;
  const bool client =
      leaf.allows_client_auth() && X509_check_purpose(x509, X509_PURPOSE_SSL_CLIENT, 0) == 1;
  if (!client || (flags & EXFLAG_CA) != 0) return CertificateVerdict::kWrongUsage;
  return CertificateVerdict::kValid;
}

const CertificateValidator::Validity* CertificateValidator::Find(const Sha256Digest& digest) const {
  if (const auto it = younger_.find(digest); it != younger_.end()) return &it->second;
  if (const auto it = older_.find(digest); it != older_.end()) return &it->second;
  return nullptr;
}

void CertificateValidator::Remember(const Sha256Digest& digest, Validity validity) const {
  if (cache_entries_max_ == 0) return;
  const MutexLock lock(mutex_);
  if (younger_.size() >= cache_entries_max_) {
    older_ = std::move(younger_);
    younger_ = Cache();
  }
  younger_.emplace(digest, validity);
}

}  // namespace devicetrust::pki
