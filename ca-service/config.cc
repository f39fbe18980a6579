#include "ca-service/config.h"

#include "libs/service/options.h"

namespace devicetrust::ca {

void Describe(Config& config, service::Options& options) {
  service::DescribeComponent(config, "ca", options);
  service::DescribeEdgeListener(config, options);
  service::DescribeInternalListener(config, options);
  options.Text("http-listen", config.http_listen, "HOST:PORT", "OCSP, CRL and CA certificates");
  options.Text("public-http-url", config.public_http_url, "URL",
               "Of that listener, as certificates name it (default: as bound)");
  service::DescribeOrgPeer(config, options);
  service::DescribeGrowingStore(config, options);
  options.Heading("Keys of issuers in a PKCS#11 token");
  options.Text(
      "ca-key", config.ca_key, "URI",
      "Where the first issuer's key lies, as in pkcs11:token=ca;id=%01 (default: it is made,"
      " and sealed in the store); later ones: dtctl issuers add --key");
  options.Text("pkcs11-module", config.pkcs11_module, "FILE",
               "The token's PKCS#11 module, where a URI names none");
  options.Text("pkcs11-pin-file", config.pkcs11_pin_file, "FILE",
               "Its PIN, readable by this account alone, where a URI names none");
  options.Number("pkcs11-deadline-ms", config.pkcs11_deadline_ms, 100, 60'000,
                 "How long a signature may take; agents are told to try again after that");
  options.Heading("Certificates");
  options.Number("validity-days", config.validity_days, 1, 825, "Lifetime of a device certificate");
  options.Text(
      "known-keys", config.known_keys, "FILE",
      "Keys that others know, never certified: SHA-256 of each SubjectPublicKeyInfo in hex,"
      " or its RFC 7638 thumbprint, one a line (default: those that RFCs print)");
  options.Heading("Limits");
  options.Number("account-calls-per-minute", config.account_calls_per_minute, 1, 1'000'000,
                 "Enrollments that one computer, or one user, may ask for in a minute");
  options.Number("device-certificates-per-day", config.device_certificates_per_day, 1, 1'000'000,
                 "Certificates that one computer may get in 24 hours");
  options.Number("user-certificates-per-day", config.user_certificates_per_day, 1, 1'000'000,
                 "Certificates that one user may get in 24 hours");
  options.Number("ocsp-memory-mib", config.ocsp_memory_mib, 1, 1024,
                 "Memory for OCSP answers that are kept, about 1 KiB each");
  options.Number("ocsp-signatures-per-second", config.ocsp_signatures_per_second, 1, 1'000'000,
                 "OCSP answers that are signed on the spot: with a nonce, about unknown serials");
}

}  // namespace devicetrust::ca
