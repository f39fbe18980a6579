// A factor whose owner has not yet shown a code of it: it counts for nothing. As a row: functions
// on a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

inline constexpr std::chrono::minutes kPendingFactorFor{10};
inline constexpr std::int64_t kPendingFailuresMax = 10;

struct PendingFactor {
  std::string user_id;
  std::string enrollment_id;
  std::string session_id;
  Bytes sealed;  // As TotpFactors::Seal() makes it.
  WallTime expires_at;
  std::int64_t failures = 0;
};

// Instead of one of before.
absl::Status StorePendingFactor(db::Transaction& txn, const PendingFactor& pending);
// Nothing: there is none, or its time is over.
absl::StatusOr<std::optional<PendingFactor>> FindPendingFactor(db::Transaction& txn,
                                                               const std::string& user_id,
                                                               WallTime now);
// A wrong code; the last that it bears removes it.
absl::Status CountPendingFailure(db::Transaction& txn, const PendingFactor& pending);
absl::Status RemovePendingFactor(db::Transaction& txn, const std::string& user_id);
absl::Status PrunePendingFactors(db::Transaction& txn, WallTime now);

}  // namespace devicetrust::policy
