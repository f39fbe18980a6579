#pragma once

#include <cstddef>
#include <string>

#include "libs/service/config.h"

namespace devicetrust::iwa {

// Options of dt-iwa; config.cc has the help of each one. The store seals the signing key.
struct Config : service::ComponentConfig,
                service::EdgeListenerConfig,
                service::InternalListenerConfig,
                service::StoreConfig,
                service::OrgPeerConfig,
                service::DirectoriesConfig {
  Config() {
    edge_listen = "127.0.0.1:7301";
    internal_listen = "127.0.0.1:7302";
    database = "sqlite:dt-iwa.db";
  }

  std::string name = "iwa";  // Also the component name in internal_cert.

  std::string spn;  // "HTTP/iwa.corp.test": what agents ask a ticket for, in each realm served.
  std::string keytab;
  std::string replay_cache = "dt-iwa.rcache2";  // Files that remember tickets for 5 minutes.
  std::string krb5_config;                      // Empty: KRB5_CONFIG is set already.
  bool primary = true;
  std::string web_listen;             // For GET /iwa/whoami; empty: nowhere.
  std::string web_binding = "https";  // Or "http".
  std::string web_config;             // A web.config to check; empty: none.
  std::string forest;         // DNS name of the IWA's own; empty: that of the first directory.
  int signing_key_days = 90;  // How long a key signs before the next one does.

  std::size_t in_flight_max = 512;            // Calls of agents at once.
  std::size_t account_calls_per_minute = 60;  // Of one account; an enrollment takes one or two.

  bool operator==(const Config&) const = default;
};

// Declares every option of dt-iwa (libs/service/options.h).
void Describe(Config& config, service::Options& options);

// What the IWA does for the org, as a version: the org is told, and it decides whether an IWA may
// enroll devices (ORG-5) and of which forests (ORG-6). It is not the release's version, which
// grows for other reasons; `dt-iwa --version` shows both.
inline constexpr const char* kIwaVersion = "1.12.2";

}  // namespace devicetrust::iwa
