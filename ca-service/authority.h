// The certificates above those of devices, a root's and an issuer's: made by the CA itself, or on
// the machine where a root is kept offline.
#pragma once

#include <chrono>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::ca {

inline constexpr std::chrono::days kRootValidity{20 * 365};
inline constexpr std::chrono::days kIssuerValidity{10 * 365};

// Hex of the subject key identifier: how stores, URLs and people name it.
std::string AuthorityId(const pki::Certificate& certificate);

// Self-signed, for kRootValidity; may certify issuers and no further CA below them.
absl::StatusOr<pki::Certificate> MakeRoot(const std::string& org, const pki::Signer& key,
                                          WallTime now, Random& random);

// An issuer's, of the one name that all of them have. Ends with its root at the latest.
absl::StatusOr<pki::Certificate> CertifyIssuer(const pki::Identity& root, const std::string& org,
                                               const pki::PublicKey& key,
                                               std::chrono::days validity, WallTime now,
                                               Random& random);

// Whether `issuer`, certified by `root`, may issue device certificates from here. kInvalidArgument
// says which rule it breaks.
absl::Status CheckIssuerCertificate(const pki::Certificate& issuer, const pki::Certificate& root,
                                    WallTime now);

}  // namespace devicetrust::ca
