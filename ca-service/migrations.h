#pragma once

#include <vector>

#include "libs/db/migrations.h"

namespace devicetrust::ca {

// The CA's tables. Times are whole seconds since 1970, serials lower-case hex.
std::vector<db::Migration> Migrations();

}  // namespace devicetrust::ca
