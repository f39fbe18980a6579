// Files of tests/vectors. Tests only.
#pragma once

#include <string>

#include "libs/base/bytes.h"

namespace devicetrust::testing {

// The content of tests/vectors/`name`, e.g. "openssl/ca.pem". Stops when there is none.
std::string ReadVector(const std::string& name);
Bytes ReadVectorBytes(const std::string& name);

}  // namespace devicetrust::testing
