// The last look at a device certificate before it is signed: whoever reads what is to be signed
// afresh finds what the writer got wrong.
#pragma once

#include <span>

#include "ca-service/issuer.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/pki/key.h"

namespace devicetrust::ca {

// What one device certificate must say, taken from the request and the configuration and not from
// what was written.
struct ExpectedCertificate {
  const pki::Certificate& issuer;
  const pki::PublicKey& key;
  const DeviceSpec& spec;
  const Profile& profile;
  WallTime now;
};

// OK when `content`, a TBSCertificate (RFC 5280, section 4.1.2), keeps the profile of device
// certificates to the octet: version 3, a positive serial of 16 to 20 octets, ecdsa-with-SHA256,
// the issuer's name as its certificate has it, times, the device id as the only name, the key, and
// exactly these extensions, each once: basicConstraints (critical, empty), keyUsage (critical,
// digitalSignature), extendedKeyUsage (clientAuth), subjectKeyIdentifier, authorityKeyIdentifier,
// subjectAltName (the two URIs), cRLDistributionPoints, authorityInfoAccess (OCSP
// and issuer; addresses below DeviceSpec::public_url).
//
// kInternal, with the field that deviates: the CA must not sign it. Allocates little; some
// microseconds.
absl::Status LintDeviceCertificate(std::span<const std::uint8_t> content,
                                   const ExpectedCertificate& expected);

}  // namespace devicetrust::ca
