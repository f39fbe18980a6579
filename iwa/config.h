#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libs/base/status.h"
#include "libs/service/config.h"

namespace devicetrust::iwa {

// Options of dt-iwa; config.cc has the help of each one. The store seals the signing key.
struct Config : service::ComponentConfig,
                service::EdgeListenerConfig,
                service::InternalListenerConfig,
                service::StoreConfig,
                service::OrgPeerConfig,
                service::DirectoryConfig {
  Config() {
    edge_listen = "127.0.0.1:7301";
    internal_listen = "127.0.0.1:7302";
    database = "sqlite:dt-iwa.db";
  }

  std::string name = "iwa";  // Also the component name in internal_cert.

  std::string spn = "HTTP/iwa.corp.test";
  std::string keytab;
  std::string replay_cache = "dt-iwa.rcache2";      // Files that remember tickets for 5 minutes.
  std::string krb5_config;                          // Empty: KRB5_CONFIG is set already.
  std::vector<std::string> realms = {"CORP.TEST"};  // Served; others are untrusted.
  bool primary = true;

  std::string ldap_domain = "corp.test";
  std::size_t ldap_connections = 4;

  std::size_t in_flight_max = 512;            // Calls of agents at once.
  std::size_t account_calls_per_minute = 60;  // Of one account; an enrollment takes one or two.

  bool operator==(const Config&) const = default;
};

// Declares every option of dt-iwa (libs/service/options.h).
void Describe(Config& config, service::Options& options);

// The version that the org is told: what decides whether an IWA may enroll devices (ORG-5).
inline constexpr const char* kIwaVersion = "1.12.0";

// Checks what can be known without the network: what must be set, files, forms. The
// message names the flag and what to do. A change needs a restart.
absl::Status CheckConfig(const Config& config);

}  // namespace devicetrust::iwa
