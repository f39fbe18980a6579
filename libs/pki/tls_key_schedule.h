// HMAC and the HKDF of TLS 1.3's key schedule, composed of OpenSSL's SHA-2, as tables of a
// provider. OpenSSL 3.0 fetches HMAC and the hash by name for each of the 19 secrets of a
// handshake, 35 us together; here they are functions that call each other. Inside libs/pki.
#pragma once

#include <openssl/core.h>

namespace devicetrust::pki {

// EVP_KDF "TLS13-KDF" (RFC 8446, section 7.1) over SHA-256 or SHA-384, as libssl calls it: all
// parameters with the derivation. Whatever else is asked for fails.
const OSSL_DISPATCH* Tls13KdfFunctions();

// EVP_MAC "HMAC" (RFC 2104) over SHA-256 or SHA-384; any other hash fails.
const OSSL_DISPATCH* HmacFunctions();

}  // namespace devicetrust::pki
