// What the CA serves over plain HTTP: its CRL and its certificates, both signed, so that
// nobody needs TLS to check them (RFC 5280, section 8).
#pragma once

#include <string>

#include "ca-service/crl_publisher.h"
#include "ca-service/issuing_ca.h"
#include "libs/http/server.h"

namespace devicetrust::ca {

// Paths below the public URL. A key has its own CRL, so that a rollover starts a new one.
std::string CrlPath(const IssuingCa& ca);     // /crl/KEYID.crl
std::string IssuerPath(const IssuingCa& ca);  // /ca/KEYID.crt, DER
inline constexpr char kRootPath[] = "/ca/root.crt";

// Serves these three and nothing else, from memory. Both must outlive it.
http::Handler NewHttpFace(const IssuingCa& ca, CrlPublisher& crl);

}  // namespace devicetrust::ca
