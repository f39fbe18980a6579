// What a decision that asks for a second factor needs of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

enum class FactorVerdict {
  kAccepted,
  kWrong,
  kReused,       // Right, but spent already.
  kNotEnrolled,  // The user has no factor.
  kThrottled,    // Too many wrong ones; not looked at.
};

// Checks a one-time code and spends it, or counts a failure, inside the transaction. Runs on
// the writer thread, perhaps more than once: cheap and without other effects.
using FactorCheck = std::function<absl::StatusOr<FactorVerdict>(
    db::Transaction& txn, const std::string& user_id, std::string_view totp, WallTime now)>;

}  // namespace devicetrust::policy
