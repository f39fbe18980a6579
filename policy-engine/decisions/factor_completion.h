#pragma once

#include <chrono>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/users/factor_check.h"

namespace devicetrust::policy {

// How long after it a decision takes the factor that it asked for, and how many wrong ones. (The
// factor itself has limits of its own: users/totp_factors.h.)
inline constexpr std::chrono::minutes kFactorWindow{5};
inline constexpr int kFactorFailuresMax = 5;
// How long the same code in the same session gets the same answer: a second click on a slow line.
inline constexpr std::chrono::seconds kSameAnswerFor{60};

// What a code came to, as FactorService and DecisionService answer it.
absl::Status StatusOfFactor(const FactorAnswer& answer, const org::v1::User& user);

// Finishes decisions that asked for a second factor. Thread-safe.
class FactorCompletion {
 public:
  // All references must outlive the FactorCompletion.
  struct Parts {
    db::Database& database;
    const OrgStore& store;  // How long sessions last.
    EventSink& events;
    FactorCheck& factors;
    const Clock& clock;
  };
  explicit FactorCompletion(Parts parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.DecisionService) says what it does and refuses.
  absl::StatusOr<org::v1::CompleteFactorResponse> Complete(
      const org::v1::CompleteFactorRequest& request);

 private:
  struct Tried;
  struct Events;

  absl::StatusOr<Tried> Try(db::Transaction& txn, const org::v1::CompleteFactorRequest& request,
                            WallTime now, Events events) const;

  const Parts parts_;
};

}  // namespace devicetrust::policy
