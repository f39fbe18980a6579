// The part of OpenSSL that our TLS uses, in a library context of its own. OpenSSL 3.0 walks
// everything on offer for each certificate that it reads in a handshake (100 us each) and for
// each algorithm that it looks up by name. Inside libs/pki.
#pragma once

#include <openssl/types.h>

namespace devicetrust::pki {

// TLS 1.2 and 1.3 with AES-GCM or ChaCha20, X25519 or a NIST curve, keys that are EC, RSA or
// Ed25519: the default provider's own code for them, called more directly where
// tls_key_schedule.h and tls_x25519.h say, and nothing else on offer. Lives as long as the process.
// Null, which to OpenSSL means its default context, when it cannot be made.
OSSL_LIB_CTX* TlsLibrary();

}  // namespace devicetrust::pki
