// Second factors as their owners come to them: enrollment in two steps, recovery codes.
#pragma once

#include <chrono>
#include <string>

#include "devicetrust/org/v1/factors.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/users/totp_factors.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {

// How long ago a session may have shown the factor to replace it.
inline constexpr std::chrono::minutes kFactorFreshFor{15};

// Thread-safe.
class FactorEnrollment {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    const OrgStore& store;  // What authenticator apps call the org.
    EventSink& events;
    TotpFactors& factors;
    const Clock& clock;
    Random& random;
  };
  explicit FactorEnrollment(const Parts& parts) : parts_(parts) {}

  // The contract (devicetrust.org.v1.FactorService) says what each does and refuses.
  absl::StatusOr<org::v1::BeginTotpEnrollmentResponse> Begin(
      const org::v1::BeginTotpEnrollmentRequest& request);
  absl::StatusOr<org::v1::ConfirmTotpEnrollmentResponse> Confirm(
      const org::v1::ConfirmTotpEnrollmentRequest& request);
  absl::StatusOr<org::v1::MakeRecoveryCodesResponse> MakeCodes(
      const rpc::Caller& caller, const org::v1::MakeRecoveryCodesRequest& request);
  absl::StatusOr<org::v1::ShowFactorResponse> Show(const org::v1::ShowFactorRequest& request);
  absl::StatusOr<org::v1::GetFactorStatusResponse> Status(
      const org::v1::GetFactorStatusRequest& request) const;

 private:
  const Parts parts_;
};

}  // namespace devicetrust::policy
