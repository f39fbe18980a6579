// CAs and their certificates for one run. P-256, valid for a year from an hour before
// `now`. Failure to make a key means a broken OpenSSL and stops.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::throwaway {

// Keys made here alone, never stored.
pki::ExportableIdentity NewCa(const std::string& name, WallTime now);
pki::ExportableIdentity NewIdentity(const std::string& name, pki::Usage usage,
                                    const pki::Identity& ca, WallTime now);

// What a device CA issues: URI names urn:devicetrust:ORG:device:ID and :enrollment:ID.
pki::ExportableIdentity NewDevice(const std::string& org, const std::string& device_id,
                                  const std::string& enrollment_id, const pki::Identity& device_ca,
                                  WallTime now);

// Everything that a deployment is given from outside, for one org: a deployment CA with
// an identity per component and administrator, and a web CA for the servers that devices
// and browsers meet. (The device CA is not here: dt-ca makes its own.)
//
// Each identity is made when first asked for and kept. Not thread-safe.
class ThrowawayPki {
 public:
  ThrowawayPki(std::string org, WallTime now);

  const pki::ExportableIdentity& deployment_ca() const { return deployment_ca_; }
  const pki::ExportableIdentity& web_ca() const { return web_ca_; }

  // For the internal listeners and the calls to them: client and server in one, named
  // urn:devicetrust:ORG:component:NAME, for localhost, NAME.devicetrust.internal and
  // 127.0.0.1. File NAME.pem.
  const pki::ExportableIdentity& Component(const std::string& name);
  // urn:devicetrust:ORG:admin:NAME. File admin-NAME.pem.
  const pki::ExportableIdentity& Admin(const std::string& name);
  // A server certificate of the web CA for `dns_names` (wildcards allowed) and 127.0.0.1.
  // File NAME.pem.
  const pki::ExportableIdentity& Server(const std::string& name,
                                        const std::vector<std::string>& dns_names);

  // Writes deployment-ca.pem, web-ca.pem and, for all made so far, NAME.pem (certificate)
  // and NAME.key (private key, PKCS#8) into `dir`, which is made when missing. Mode 0600.
  // Never the keys of the CAs.
  absl::Status WriteTo(const std::string& dir) const;

 private:
  const pki::ExportableIdentity& Keep(const std::string& file, const pki::CertificateSpec& spec,
                                      const pki::Identity& ca);

  const std::string org_;
  const WallTime now_;
  const pki::ExportableIdentity deployment_ca_;
  const pki::ExportableIdentity web_ca_;
  std::map<std::string, pki::ExportableIdentity> made_;  // By file name.
};

}  // namespace devicetrust::throwaway
