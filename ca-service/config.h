#pragma once

#include <cstdint>
#include <string>

namespace devicetrust::ca {

// Every field but the keys and certificates has a working default. Files are PEM.
struct Config {
  std::string org = "acme";
  std::string database = "sqlite:dt-ca.db";
  std::string kek_file;  // Seals the CA's keys in the store.

  std::string edge_listen = "127.0.0.1:7401";  // Agents.
  std::string edge_cert;
  std::string edge_key;
  std::string edge_address;  // host:port that agents are told; empty: as bound.

  std::string internal_listen = "127.0.0.1:7402";  // Components and admins.
  std::string internal_cert;
  std::string internal_key;
  std::string deployment_ca;

  std::string org_address = "127.0.0.1:7501";  // The policy engine's internal listener.
  std::string org_server_name = "policy.devicetrust.internal";

  std::string http_listen = "127.0.0.1:7403";  // CRL and CA certificates, no TLS.
  std::string public_http_url;  // Goes into certificates; empty: http:// and http_listen as bound.

  int validity_days = 365;                 // Of a device certificate.
  std::int64_t log_backlog_max = 100'000;  // Undelivered events; then Enroll says UNAVAILABLE.
  std::int64_t store_bytes_max = 0;        // 0: as much as the disk holds.
};

}  // namespace devicetrust::ca
