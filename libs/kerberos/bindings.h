#pragma once

#include "libs/base/bytes.h"

namespace devicetrust::kerberos {

// Application data of the GSS channel bindings (RFC 2743, section 1.1.6): octets that both ends
// know before the exchange. It is accepted for the same octets alone.
using Bindings = Bytes;

}  // namespace devicetrust::kerberos
