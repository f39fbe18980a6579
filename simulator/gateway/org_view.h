// The gateway's picture of the org, replaced piece by piece as news arrive (feeds.h).
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
#include "libs/base/status.h"
#include "libs/pki/certificate.h"
#include "libs/token/key_set.h"
#include "simulator/gateway/browser_state.h"
#include "simulator/gateway/snapshot.h"

namespace devicetrust::gateway {

// The keys that all gateways of an org share.
struct Keyring {
  StateSealer sealer;
  token::SigningKey proof_key;
  token::KeySet proof_keys;  // Of all gateways.
  pki::Identity saml_signer;
  std::vector<pki::Certificate> saml_certificates;  // All in the metadata, newest first.
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

 private:
  std::int64_t version_;
  std::map<std::string, org::v1::App> by_id_;
  std::map<std::string, std::string> id_by_entity_id_;
};

// What computers need before they have a certificate: the body of
// /.well-known/device-trust, JSON {"org", "iwas":[{"name","address","spn","forests":[…],
// "primary"}], "ca_address", "ca_bundle"}. Only enabled, capable IWAs; the primary first.
std::string DiscoveryJson(std::string_view org, const org::v1::ListIwasResponse& iwas,
                          const ca::v1::GetIssuersResponse& issuers, std::string_view ca_bundle);

// Each null until it first arrived.
struct OrgView {
  Snapshot<Keyring> keys;
  Snapshot<AppDirectory> apps;
  Snapshot<std::string> discovery;
};

}  // namespace devicetrust::gateway
