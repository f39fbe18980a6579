// What the files of a configuration (config.h) hold. Errors name the option: kInvalidArgument
// (missing, or not what it should be), kNotFound, kFailedPrecondition (others may read a key).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/pki/aead.h"
#include "libs/rpc/channel.h"
#include "libs/rpc/grant.h"
#include "libs/rpc/server.h"
#include "libs/service/config.h"

namespace devicetrust::service {

// A service among the components of its org: how it calls them and is called by them.
class Component {
 public:
  // `self`: who the certificate must name, "ca", or "gateway" for gateway-2 as well.
  static absl::StatusOr<Component> Load(const ComponentConfig& config, std::string_view self);

  // To call the internal listener of another component.
  rpc::ChannelConfig Peer(std::string address, std::string server_name) const;
  rpc::ListenerConfig InternalListener(const InternalListenerConfig& config) const;

  // Of administrators for whom gateways call (libs/rpc/grant.h): whoever is called checks the
  // org's word. The org gives it by a GrantSource.
  absl::StatusOr<std::shared_ptr<const rpc::GrantVerifier>> Grants(const Clock& clock) const;

 private:
  std::string org_;
  rpc::Identity identity_;
  std::string deployment_ca_pem_;
  rpc::ChannelConfig::Files files_;  // Of both.
};

// Signs grants, with the certificate and key that the files hold by then: a certificate that is
// replaced in time makes no gap. Files that cannot be read, or do not belong together, leave those
// before in use. Thread-safe.
class GrantSource {
 public:
  static absl::StatusOr<std::unique_ptr<GrantSource>> Create(const ComponentConfig& config);
  absl::StatusOr<std::string> Sign(const access::v1::Grant& grant);

 private:
  GrantSource(std::string cert, std::string key, std::string stamp, rpc::GrantSigner signer);

  const std::string cert_;
  const std::string key_;
  Mutex mutex_;
  std::string stamp_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const rpc::GrantSigner> signer_ ABSL_GUARDED_BY(mutex_);
};

// For agents, which have no certificate yet: server TLS, small messages.
absl::StatusOr<rpc::ListenerConfig> EdgeListener(const std::string& org,
                                                 const EdgeListenerConfig& config);

absl::StatusOr<pki::AeadKey> LoadKek(const StoreConfig& config);

// Whether a file could be made at `path`, or replaced there; "" is none. `option` says who wants
// it. kInvalidArgument: the folder does not exist, or this account may not write to it.
absl::Status CheckCanWrite(std::string_view option, const std::string& path);
// The same of the file of a store, "sqlite:PATH", and of the files beside it.
absl::Status CheckStore(std::string_view option, const std::string& url);

}  // namespace devicetrust::service
