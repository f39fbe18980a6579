// The SQLite driver. For open.cc alone.
#pragma once

#include <memory>
#include <string>

#include "libs/db/open.h"

namespace devicetrust::db {

// `path`: a file, or ":memory:". Errors: those of OpenStore().
absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(const std::string& path);

}  // namespace devicetrust::db
