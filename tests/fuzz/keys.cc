#include "tests/fuzz/keys.h"

namespace devicetrust::fuzz {
namespace {

// Worth nothing: it signs seeds and is in a public file.
constexpr char kKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcW2Ji3fEZmnJtAa8\n"
    "j0Ykrxsl41lzBrxt/I/fQen/dfqhRANCAASn/CzjLDh23E1Pe5UzN5ntva4aE5/Y\n"
    "kFoDtVFQqTVDz69XqB8nfmClkZ0g20wjhYZuJNs5yy+tUeSmLXLBS20p\n"
    "-----END PRIVATE KEY-----\n";
constexpr char kCertificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhTCCASugAwIBAgIUacsRiNHlXSWzWHU9UvqOHlV2UNowCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEZnV6ejAgFw0yNjExMzAwMTM1MjhaGA8yMTI2MTEwNjAxMzUy\n"
    "OFowDzENMAsGA1UEAwwEZnV6ejBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKf8\n"
    "LOMsOHbcTU97lTM3me29rhoTn9iQWgO1UVCpNUPPr1eoHyd+YKWRnSDbTCOFhm4k\n"
    "2znLL61R5KYtcsFLbSmjYzBhMB0GA1UdDgQWBBT8iINrLq7dK6J2hWSB6XQS2C53\n"
    "/zAfBgNVHSMEGDAWgBT8iINrLq7dK6J2hWSB6XQS2C53/zAPBgNVHRMBAf8EBTAD\n"
    "AQH/MA4GA1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNIADBFAiBjxkEwHgHyZfVS\n"
    "bwkujtrwoGQ6qd1Fab8/QQ0ZjOsERwIhALZAiL0bDoSjSCVdsKGp2EjMp1Ny5dK0\n"
    "0t+/mbiZeIWR\n"
    "-----END CERTIFICATE-----\n";

}  // namespace

const pki::Identity& Issuer() {
  static const auto* const issuer =
      new pki::Identity(pki::IdentityFromPem(kCertificate, kKey).value());
  return *issuer;
}

}  // namespace devicetrust::fuzz
