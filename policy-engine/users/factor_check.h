#pragma once

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

// Whoever checks second factors, for the decisions that ask for one.
class FactorCheck {
 public:
  virtual ~FactorCheck() = default;

  // Checks a one-time code and spends it, or counts a failure, inside the transaction, which must
  // commit whatever the verdict is. Runs on the writer thread, perhaps more than once: cheap and
  // without other effects. Thread-safe.
  virtual absl::StatusOr<FactorVerdict> Verify(db::Transaction& txn, const std::string& user_id,
                                               std::string_view code, WallTime now) = 0;
};

}  // namespace devicetrust::policy
