#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

enum class FactorVerdict {
  kAccepted,
  kWrong,
  kReused,       // Right, but spent already.
  kNotEnrolled,  // The user has no factor.
  kThrottled,    // Too many wrong ones from there; not looked at.
  kLocked,       // Too many wrong ones in a row; takes recovery codes, or an administrator helps.
};

// Somebody shows a code.
struct FactorAttempt {
  std::string user_id;
  std::string code;
  std::string network;    // Of the client: libs/base/client_network.h.
  bool recovery = false;  // A recovery code, in place of one of the factor.
};

struct FactorAnswer {
  FactorVerdict verdict = FactorVerdict::kWrong;
  // From there the next code is taken after this long; also told with the wrong code that began it.
  std::chrono::seconds retry_after{0};
  bool locks = false;                                    // This one locked the factor.
  std::optional<std::int32_t> recovery_codes_left = {};  // After one was accepted.
};

// Whoever checks second factors, for the decisions that ask for one.
class FactorCheck {
 public:
  virtual ~FactorCheck() = default;

  // Checks a one-time code and spends it, or counts a failure, inside the transaction, which must
  // commit whatever the verdict is. Runs on the writer thread, perhaps more than once: cheap and
  // without other effects. Thread-safe.
  virtual absl::StatusOr<FactorAnswer> Verify(db::Transaction& txn, const FactorAttempt& attempt,
                                              WallTime now) = 0;

  // Whether `attempt` shows the very code that the user's factor took last, at `taken_at`: a second
  // click. Spends and counts nothing.
  virtual absl::StatusOr<bool> TookLast(db::Transaction& txn, const FactorAttempt& attempt,
                                        WallTime taken_at) = 0;
};

}  // namespace devicetrust::policy
