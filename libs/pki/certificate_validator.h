// Certification path validation (RFC 5280, section 6) of client certificates, for paths of one
// certificate below a trust anchor. Decided here and not by OpenSSL's X509_STORE: three times the
// cost, and its answer is yes or no without a reason fit for a person.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/digest.h"

namespace devicetrust::pki {

// What is to say about a client certificate before revocation.
enum class CertificateVerdict {
  kNone,                      // No certificate was shown.
  kValid,                     // Issued by a trust anchor, for client authentication, valid now.
  kUnknownIssuer,             // Not the name and key identifier of a trust anchor.
  kBadSignature,              // A trust anchor's name, but not its signature.
  kNotYetValid,               // Before notBefore.
  kExpired,                   // After notAfter.
  kWrongUsage,                // Not for client authentication, or itself a CA.
  kUnknownCriticalExtension,  // Section 4.2: has one that is not known here.
  kMalformed,                 // Too long, or an extension that does not parse.
};

// Whether `certificate` names `issuer`, a CA, and has its signature. Dates are not looked at.
bool IsIssuedBy(const Certificate& certificate, const Certificate& issuer);

// Constant lower-case name for logs and answers: "valid", "unknown_issuer", ...
std::string_view Name(CertificateVerdict verdict);

// Validates end entity certificates for client authentication. Revocation is not part of it: a
// verdict is cached by the certificate's SHA-256, while revocation goes by serial and is asked by
// the caller each time.
//
// Thread-safe; the lock is held for a look-up only. One validator a thread never contends.
class CertificateValidator {
 public:
  static constexpr std::size_t kCacheEntriesMax = 64 * 1024;  // About 80 bytes each, twice.

  // `trust_anchors`: the CA certificates that issue, new and old during a rollover; of a chain
  // the CA that certifies another of them is left out. What vouches for them is the caller's
  // configuration. kInvalidArgument when there is none, one is no CA, or has name constraints,
  // which are not evaluated here. `clock` outlives the validator.
  static absl::StatusOr<std::unique_ptr<CertificateValidator>> Create(
      std::vector<Certificate> trust_anchors, const Clock& clock,
      std::size_t cache_entries_max = kCacheEntriesMax);
  ~CertificateValidator();

  // Cost: one signature verification for a certificate seen for the first time (by P256Table when
  // the issuer's key is P-256), else one SHA-256. Leaves OpenSSL's error queue empty.
  CertificateVerdict Check(const Certificate& leaf) const;

  const std::vector<Certificate>& trust_anchors() const { return trust_anchors_; }

 private:
  struct Validity {
    WallTime not_before;
    WallTime not_after;
  };
  struct DigestHash {
    std::size_t operator()(const Sha256Digest& digest) const;
  };
  struct Issuer;  // A trust anchor, ready to verify by.
  using Cache = std::unordered_map<Sha256Digest, Validity, DigestHash>;

  CertificateValidator(std::vector<Certificate> trust_anchors, const Clock& clock,
                       std::size_t cache_max);

  CertificateVerdict CheckUncached(const Certificate& leaf, const Bytes& der) const;
  const Validity* Find(const Sha256Digest& digest) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remember(const Sha256Digest& digest, Validity validity) const;

  const std::vector<Certificate> trust_anchors_;
  const std::vector<Issuer> issuers_;  // Of those, in their order.
  const Clock& clock_;
  const std::size_t cache_entries_max_;

  // Certificates whose verdict, dates aside, is kValid. Two generations: when the younger
  // is full it becomes the older, so that a full cache loses its rarer half.
  mutable Mutex mutex_;
  mutable Cache younger_ ABSL_GUARDED_BY(mutex_);
  mutable Cache older_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::pki
