#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/crl.h"

namespace devicetrust::ca {

// The subject's common name of every issuer: what browsers and agents filter by. Issuers differ
// by key and serial.
inline constexpr char kIssuerName[] = "MTLS Certificate Authority";
inline constexpr char kResponderName[] = "MTLS OCSP Responder";
inline constexpr char kRootName[] = "MTLS Root Certificate Authority";

struct Profile {
  std::chrono::days validity{365};
  std::chrono::minutes backdate{5};  // Tolerated clock skew of a relying party.
};

// What goes into one device certificate; the user is looked up, never printed (CA-1).
struct DeviceSpec {
  std::string org;
  std::string device_id;
  std::string enrollment_id;
  std::string public_url;    // Of the HTTP listener, without a slash at its end.
  std::string crl_url = {};  // Of the list that it names; empty: the issuer's complete one.
};

// Signs a list of what `authority` took back, and counts the signature: of crl.revoked, or of
// `entries` as pki::BuildCrl() takes them.
absl::StatusOr<Bytes> SignCrl(const pki::Crl& crl, const pki::Identity& authority);
absl::StatusOr<Bytes> SignCrl(const pki::Crl& crl, std::span<const std::uint8_t> entries,
                              const pki::Identity& authority);

// The path on the HTTP listener of the list of an issuer, or of a root; `id` as Issuer::id().
std::string CrlPath(std::string_view id);

// Where OCSP is answered on that listener, for all issuers.
inline constexpr char kOcspPath[] = "/ocsp";

// A CA certificate with the signer of its key, and the root above it: signs device certificates,
// those of its OCSP responders, and the list of those that were revoked. Immutable, thread-safe.
class Issuer {
 public:
  // `identity.key` signs for `identity.certificate`, which `root` certified.
  Issuer(pki::Identity identity, pki::Certificate root);

  // Lower-case hex of the subject key identifier: its name in the store, in URLs and to clients.
  const std::string& id() const { return id_; }
  const pki::Certificate& certificate() const { return identity_.certificate; }
  const pki::Certificate& root() const { return root_; }
  const std::string& root_id() const { return root_id_; }  // As id(), of the root's key.
  std::vector<Bytes> chain_der() const { return {certificate().der(), root_.der()}; }

  // On the HTTP listener, as CrlPath(id()); certificates name both behind DeviceSpec::public_url.
  std::string CertificatePath() const;

  // A certificate that is not signed yet.
  struct Draft {
    std::string serial;
    WallTime not_after;
    Bytes content;  // TBSCertificate (RFC 5280, section 4.1.2).
  };
  // For a key whose possession was proven. Valid from `now` less the backdating, no longer
  // than the issuer's own certificate. kInternal: LintDeviceCertificate() refuses it.
  absl::StatusOr<Draft> Prepare(const DeviceSpec& spec, const pki::PublicKey& key,
                                const Profile& profile, WallTime now, Random& random) const;
  // The certificate of what Prepare() made, now or before a restart.
  absl::StatusOr<pki::Certificate> Sign(std::span<const std::uint8_t> content) const;
  // For the key of a responder that answers OCSP in this issuer's name. Valid from an hour before
  // `now`, no longer than the issuer's own certificate.
  absl::StatusOr<pki::Certificate> CertifyResponder(const std::string& org,
                                                    const pki::PublicKey& key,
                                                    std::chrono::days validity, WallTime now,
                                                    Random& random) const;
  // `entries`: as pki::BuildCrl() takes them.
  absl::StatusOr<Bytes> SignCrl(const pki::Crl& crl, std::span<const std::uint8_t> entries) const {
    return ca::SignCrl(crl, entries, identity_);
  }

 private:
  pki::Identity identity_;
  pki::Certificate root_;
  std::string id_;
  std::string root_id_;
};

}  // namespace devicetrust::ca
