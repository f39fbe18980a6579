// A key and a certificate that are the same in each run, so that seeds signed with them stay good.
#pragma once

#include "libs/pki/certificate.h"

namespace devicetrust::fuzz {

// P-256, self-signed, 2026 to 2126; the subject is "fuzz".
const pki::Identity& Issuer();

}  // namespace devicetrust::fuzz
