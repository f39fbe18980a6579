#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libs/base/status.h"

namespace devicetrust::iwa {

// Flags of dt-iwa without their dashes; see main.cc for each one's help. Files are PEM
// where not said otherwise.
struct Config {
  std::string org = "acme";
  std::string name = "iwa";  // Also the component name in internal_cert.
  std::string database = "sqlite:dt-iwa.db";
  std::string kek_file;  // Seals the signing key in the store.

  std::string edge_listen = "127.0.0.1:7301";  // Agents.
  std::string edge_cert;
  std::string edge_key;
  std::string edge_address;  // host:port that agents are told; empty: as bound.

  std::string internal_listen = "127.0.0.1:7302";  // Health.
  std::string internal_cert;
  std::string internal_key;
  std::string deployment_ca;
  std::string org_address = "127.0.0.1:7501";  // The policy engine's internal listener.
  std::string org_server_name = "policy.devicetrust.internal";

  std::string spn = "HTTP/iwa.corp.test";
  std::string keytab;
  std::string replay_cache = "dt-iwa.rcache2";      // File that remembers tickets for 5 minutes.
  std::string krb5_config;                          // Empty: KRB5_CONFIG is set already.
  std::vector<std::string> realms = {"CORP.TEST"};  // Served; others are untrusted.
  bool primary = true;

  std::string ldap_url;  // ldaps://HOST:PORT
  std::string ldap_ca;
  std::string ldap_domain = "corp.test";
  std::string ldap_bind_dn;
  std::string ldap_password_file;
  std::size_t ldap_connections = 4;

  std::size_t in_flight_max = 512;            // Calls of agents at once.
  std::size_t account_calls_per_minute = 60;  // Of one account; an enrolment takes one or two.
};

// The version that the org is told: what decides whether an IWA may enrol devices (ORG-5).
inline constexpr const char* kIwaVersion = "1.12.0";

// Checks what can be known without the network: what must be set, files, forms. The
// message names the flag and what to do. A change needs a restart.
absl::Status CheckConfig(const Config& config);

}  // namespace devicetrust::iwa
