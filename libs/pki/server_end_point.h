#pragma once

#include "libs/base/bytes.h"
#include "libs/pki/certificate.h"

namespace devicetrust::pki {

// What channel bindings of the type tls-server-end-point say of a server: the hash of its
// certificate, by the function of the certificate's signature, SHA-256 in place of MD5 and SHA-1,
// and where the signature has none of its own (RFC 5929, section 4.1). Empty when OpenSSL fails.
Bytes ServerEndPoint(const Certificate& certificate);
// The same as channel bindings have it: the type's name, a colon, the hash (RFC 5929, section 4).
Bytes ServerEndPointBindings(const Certificate& certificate);

}  // namespace devicetrust::pki
