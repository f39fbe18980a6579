#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "libs/service/config.h"

namespace devicetrust::ca {

// Every field but the keys and certificates has a working default. The store seals the CA's
// own keys; while its log backlog is full, Enroll says UNAVAILABLE.
struct Config : service::ComponentConfig,
                service::EdgeListenerConfig,
                service::InternalListenerConfig,
                service::GrowingStoreConfig,
                service::OrgPeerConfig {
  Config() {
    edge_listen = "127.0.0.1:7401";
    internal_listen = "127.0.0.1:7402";
    database = "sqlite:dt-ca.db";
  }

  std::string http_listen = "127.0.0.1:7403";  // OCSP, CRL and CA certificates, no TLS.
  std::string public_http_url;  // Goes into certificates; empty: http:// and http_listen as bound.

  // Keys in PKCS#11 tokens: that of the first issuer, and what URIs leave out.
  std::string ca_key;
  std::string pkcs11_module;
  std::string pkcs11_pin_file;  // Mode 0600.
  int pkcs11_deadline_ms = 2000;

  int validity_days = 365;  // Of a device certificate.
  // File of digests of keys that are never certified (known_keys.h); empty: those of RFCs alone.
  std::string known_keys;

  // Of one computer, and of one user. Each call counts, retries included.
  std::size_t account_calls_per_minute = 60;
  // Certificates in 24 hours; one that was asked for again counts once.
  std::int64_t device_certificates_per_day = 100;
  std::int64_t user_certificates_per_day = 200;

  std::size_t ocsp_memory_mib = 16;  // Of kept answers.
  // On the spot: those with a nonce, and about serials that nobody issued.
  std::size_t ocsp_signatures_per_second = 1000;

  bool operator==(const Config&) const = default;
};

// Declares every option of dt-ca (libs/service/options.h).
void Describe(Config& config, service::Options& options);

}  // namespace devicetrust::ca
