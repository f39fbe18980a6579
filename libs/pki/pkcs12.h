// A certificate with its key in one file, as browsers import it (RFC 7292).
#pragma once

#include <string>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/pki/certificate.h"

namespace devicetrust::pki {

// The whole chain of `identity`, encrypted with `password` (AES-256, PBKDF2). `friendly_name`
// is what a certificate store shows; UTF-8. Errors: kInternal, when OpenSSL can't.
absl::StatusOr<Bytes> ToPkcs12(const ExportableIdentity& identity, const std::string& password,
                               const std::string& friendly_name);

}  // namespace devicetrust::pki
