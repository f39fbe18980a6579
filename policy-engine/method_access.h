#pragma once

#include <vector>

#include "libs/rpc/server.h"

namespace devicetrust::policy {

// Which roles may call which method of the internal listener; anything else is refused.
std::vector<rpc::MethodAccess> InternalAccess();

}  // namespace devicetrust::policy
