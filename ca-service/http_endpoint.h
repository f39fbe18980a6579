// What the CA serves over plain HTTP: OCSP, its CRLs and its certificates, all signed, so that
// nobody needs TLS to check them (RFC 5280, section 8).
#pragma once

#include "ca-service/crl_publisher.h"
#include "ca-service/issuers.h"
#include "ca-service/ocsp_responder.h"
#include "libs/base/clock.h"
#include "libs/http/server.h"

namespace devicetrust::ca {

inline constexpr char kRootPath[] = "/ca/root.crt";  // Of the active issuer, DER.

// Answers kOcspPath, kRootPath and, of each issuer, its certificate, its list and its root's;
// nothing else. The references must outlive the handler. OCSP wants a listener that takes escaped
// slashes.
http::Handler NewHttpEndpoint(const Issuers& issuers, CrlPublisher& crl, OcspResponder& ocsp,
                              const Clock& clock);

}  // namespace devicetrust::ca
