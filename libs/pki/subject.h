#pragma once

#include <string>

#include "libs/pki/certificate.h"

namespace devicetrust::pki {

// The first organization (O) of the subject, UTF-8; empty when it has none.
std::string OrganizationOf(const Certificate& certificate);

}  // namespace devicetrust::pki
