// Logos of apps as rows, beside the policy: they change nothing that is decided, and have no
// history.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

// `png`: as CleanPng() gives it; empty: the app has none any more.
absl::Status StoreLogo(db::Transaction& txn, const std::string& app_id, const Bytes& png);
// SHA-256 by app id.
absl::StatusOr<std::map<std::string, std::string>> ListLogos(db::Transaction& txn);
absl::StatusOr<std::optional<Bytes>> FindLogo(db::Transaction& txn, const std::string& sha256);

}  // namespace devicetrust::policy
