// What the CA serves over plain HTTP: its CRLs and its certificates, all signed, so that
// nobody needs TLS to check them (RFC 5280, section 8).
#pragma once

#include "ca-service/crl_publisher.h"
#include "ca-service/issuers.h"
#include "libs/http/server.h"

namespace devicetrust::ca {

inline constexpr char kRootPath[] = "/ca/root.crt";  // Of the active issuer, DER.

// Answers kRootPath and, of each issuer, its certificate, its list and its root's, from memory;
// nothing else. Both references must outlive the handler.
http::Handler NewHttpEndpoint(const Issuers& issuers, CrlPublisher& crl);

}  // namespace devicetrust::ca
