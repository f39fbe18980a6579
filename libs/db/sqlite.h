// What Database must know of the SQLite driver. Not for other folders.
#pragma once

#include <cstdint>
#include <string>

#include "libs/db/connection.h"

namespace devicetrust::db {

bool IsInMemory(const std::string& url);

// Caps the store's size; a write beyond it is kResourceExhausted, like a full disk.
absl::Status LimitBytes(Connection& writer, std::int64_t bytes_max);

}  // namespace devicetrust::db
