#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace devicetrust::policy {

// Every field but the keys and certificates has a working default. Files are PEM.
struct Config {
  std::string org = "acme";
  std::string database = "sqlite:dt-policy.db";
  std::string log_database = "sqlite:dt-policy-log.db";  // The System Log has its own.
  std::string kek_file;  // Seals gateway keys and TOTP secrets in the store.

  std::string internal_listen = "127.0.0.1:7501";  // Components and admins.
  std::string internal_cert;
  std::string internal_key;
  std::string deployment_ca;

  std::string ca_address = "127.0.0.1:7402";  // dt-ca's internal listener.
  std::string ca_server_name = "ca.devicetrust.internal";

  // Active Directory. Without a URL nobody can sign in with a password, and the platform of
  // enrolled computers stays unknown.
  std::string ldap_url;            // ldaps://HOST:PORT
  std::string ldap_ca;             // PEM; signs the directory's certificate.
  std::string ldap_bind_dn;        // The account that searches.
  std::string ldap_password_file;  // Its password, mode 0600; a line end is cut off.
  std::string domain;              // corp.test; also the AD integration of a new org.

  // The operator's capability switch (ORG-1): unset leaves it as the store has it (on, in a
  // new org).
  std::optional<bool> capability;

  std::int64_t log_backlog_max = 100'000;  // Undelivered events of the org itself.
  std::int64_t store_bytes_max = 0;        // Of each database; 0: as much as the disk holds.
};

}  // namespace devicetrust::policy
