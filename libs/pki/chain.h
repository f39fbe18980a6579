// Who vouches for a certificate: the device CA for client certificates, decided here and
// not by OpenSSL's X509_STORE (three times the cost, and its answer is yes or no without
// a reason fit for a person).
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
enum class DeviceVerdict {
  kNone,           // No certificate was shown.
  kGood,           // Issued by the device CA, for client authentication, valid now.
  kForeignIssuer,  // Another CA's name.
  kBadSignature,   // The device CA's name, but not its signature.
  kNotYetValid,
  kExpired,
  kWrongUsage,         // Not for client authentication, or itself a CA.
  kCriticalExtension,  // Has a critical extension that is not known here.
  kMalformed,          // Too long, or an extension that does not parse.
};

// Constant lower-case name for logs and answers: "good", "foreign_issuer", ...
std::string_view Name(DeviceVerdict verdict);

// Judges leaf certificates against the device CA. Revocation is not part of it: a verdict
// is cached by the certificate's SHA-256, while revocation goes by serial and is asked by
// the caller each time.
//
// Thread-safe; the lock is held for a look-up only. One verifier a thread never contends.
class DeviceVerifier {
 public:
  static constexpr std::size_t kCacheEntriesMax = 64 * 1024;  // About 80 bytes each, twice.

  // `issuers`: the CA certificates that sign devices, new and old during a rollover; of a chain
  // the CA that certifies another of them is left out. What vouches for them is the caller's
  // configuration. kInvalidArgument when there is none,
  // one is no CA, or has name constraints, which are not evaluated here. `clock` outlives
  // the verifier.
  static absl::StatusOr<std::unique_ptr<DeviceVerifier>> Create(
      std::vector<Certificate> issuers, const Clock& clock,
      std::size_t cache_entries_max = kCacheEntriesMax);

  // Cost: one signature verification for a certificate seen for the first time, else one
  // SHA-256. Leaves OpenSSL's error queue empty.
  DeviceVerdict Check(const Certificate& leaf) const;

  const std::vector<Certificate>& issuers() const { return issuers_; }

 private:
  struct Validity {
    WallTime not_before;
    WallTime not_after;
  };
  struct DigestHash {
    std::size_t operator()(const Sha256Digest& digest) const;
  };
  using Cache = std::unordered_map<Sha256Digest, Validity, DigestHash>;

  DeviceVerifier(std::vector<Certificate> issuers, const Clock& clock, std::size_t cache_max);

  DeviceVerdict CheckUncached(const Certificate& leaf) const;
  const Validity* Find(const Sha256Digest& digest) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remember(const Sha256Digest& digest, Validity validity) const;

  const std::vector<Certificate> issuers_;
  const Clock& clock_;
  const std::size_t cache_entries_max_;

  // Certificates whose verdict, dates aside, is kGood. Two generations: when the younger
  // is full it becomes the older, so that a full cache loses its rarer half.
  mutable Mutex mutex_;
  mutable Cache younger_ ABSL_GUARDED_BY(mutex_);
  mutable Cache older_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace devicetrust::pki
