// What the gateway knows of the org and the CA: snapshots, each replaced as a whole when news
// arrive (feeds.h). Uses libs and the contracts; knows no browser and no page.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/ca/v1/ca.pb.h"
#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/gateway_keys.pb.h"
#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/pki/aead.h"
#include "libs/pki/certificate.h"
#include "libs/token/key_set.h"

namespace devicetrust::gateway {

// The keys that all gateways of an org share.
struct Keyring {
  std::string org;
  std::vector<pki::AeadKey> cookie_keys;  // Not empty; the first seals, all open.
  token::SigningKey proof_key;
  token::KeySet proof_keys;  // Of all gateways.
  // Who signs SAML now, one of a kind at most, RSA first; not empty.
  std::vector<pki::Identity> saml_signers;
  std::vector<pki::Certificate> saml_certificates;  // All that sign, will sign or have signed.

  // The signer of that kind; of RSA when the org has none.
  const pki::Identity& SamlSigner(org::v1::SamlKeyKind kind) const;
  // For metadata, RSA alone unless curves are wanted: some apps stumble over a key of a kind that
  // they don't know.
  std::vector<pki::Certificate> SamlCertificates(bool curves) const;
};

// kInvalidArgument: a kind of key is missing, or one does not parse.
absl::StatusOr<Keyring> ToKeyring(std::string_view org,
                                  const org::v1::GetGatewayKeysResponse& keys);

class AppDirectory {
 public:
  explicit AppDirectory(const org::v1::ListAppsResponse& apps);

  std::int64_t version() const { return version_; }
  // Null when there is none.
  const org::v1::App* Find(const std::string& id) const;
  const org::v1::App* FindByEntityId(const std::string& entity_id) const;
  const org::v1::App* FindByRealm(const std::string& realm) const;
  // All, by id.
  const std::map<std::string, org::v1::App>& all() const { return by_id_; }
  // By which NameID format SAML apps name people unless told otherwise; empty: unspecified.
  const std::string& default_name_id_format() const { return default_name_id_format_; }

 private:
  std::int64_t version_;
  std::string default_name_id_format_;
  std::map<std::string, org::v1::App> by_id_;
  std::map<std::string, std::string> id_by_entity_id_;
  std::map<std::string, std::string> id_by_realm_;
};

// Who signs device certificates, as the CA says.
struct DeviceIssuers {
  std::vector<pki::Certificate> certificates;  // Not empty.
  std::string edge_address;                    // host:port where agents enroll.
};

// kInvalidArgument: there is none, or one is no certificate.
absl::StatusOr<DeviceIssuers> ToDeviceIssuers(const ca::v1::GetIssuersResponse& response);

// Whether computers may be sent there: enabled, new enough for Device Trust, with a domain to vouch
// for, and no backup of an org that uses primary IWAs alone.
bool IsUsable(const org::v1::Iwa& iwa);

// The domains that it serves and that an administrator lets it vouch for: in others its word is
// refused.
std::vector<std::string> VouchedDomains(const org::v1::Iwa& iwa);

// What computers need before they have a certificate: the body of /.well-known/device-trust, JSON
// {"org", "iwas":[{"name","address","spn","domains":[…],"primary"}], "ca_address", "ca_bundle",
// "mtls_host"}. Only usable IWAs: first those that are online and report no problem, of equals the
// primary. `mtls_host`: it and the names below it are where browsers show certificates.
std::string DiscoveryJson(std::string_view org, const org::v1::ListIwasResponse& iwas,
                          std::string_view ca_address, std::string_view ca_bundle,
                          std::string_view mtls_host);

// Each null until it first arrived.
struct OrgSnapshots {
  Snapshot<Keyring> keys;
  Snapshot<AppDirectory> apps;
  Snapshot<DeviceIssuers> issuers;
  Snapshot<std::string> discovery;  // See DiscoveryJson().
};

}  // namespace devicetrust::gateway
