#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "libs/pki/certificate.h"
#include "libs/pki/crl.h"

namespace devicetrust::ca {

inline constexpr char kIssuingName[] = "MTLS Certificate Authority";  // What browsers filter by.
inline constexpr char kRootName[] = "MTLS Root Certificate Authority";

struct Profile {
  std::chrono::days validity{365};
  std::chrono::seconds backdate{60};  // Tolerated clock skew of a relying party.
};

// What goes into one device certificate; the user is looked up, never printed (CA-1).
struct DeviceSpec {
  std::string org;
  std::string device_id;
  std::string enrollment_id;
  std::string crl_url;
  std::string issuer_url;
};

// A root, and under it the one key that signs device certificates and CRLs. Both keys lie
// in the store, sealed with the key-encryption key. Immutable, thread-safe.
class IssuingCa {
 public:
  // Loads them or, in an empty store, makes them: P-256, the root for 20 years, the
  // issuing certificate for 10.
  //
  // Errors: kNotFound, kPermissionDenied: sealed with another KEK. kFailedPrecondition: the
  // issuing certificate has expired. Those of the store.
  static absl::StatusOr<IssuingCa> LoadOrCreate(db::Database& database, const pki::AeadKey& kek,
                                                const std::string& org, const Clock& clock,
                                                Random& random);

  // For a key whose possession was proven. Valid from `now` less the backdating, no longer
  // than the issuing certificate.
  absl::StatusOr<pki::Certificate> Issue(const DeviceSpec& spec, const pki::PublicKey& key,
                                         const Profile& profile, WallTime now,
                                         Random& random) const;
  absl::StatusOr<Bytes> SignCrl(const pki::Crl& crl) const;

  const pki::Certificate& issuing() const { return issuing_.certificate; }
  const pki::Certificate& root() const { return root_; }
  std::vector<Bytes> chain_der() const { return {issuing().der(), root().der()}; }
  std::string key_id() const;  // Hex; names its CRL and certificate in URLs.

 private:
  IssuingCa(pki::Identity issuing, pki::Certificate root)
      : issuing_(std::move(issuing)), root_(std::move(root)) {}

  pki::Identity issuing_;
  pki::Certificate root_;
};

}  // namespace devicetrust::ca
