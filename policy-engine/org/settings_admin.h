#pragma once

#include <cstdint>

#include "devicetrust/org/v1/settings.pb.h"
#include "libs/base/clock.h"
#include "libs/rpc/caller.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/org/settings_edit.h"

namespace devicetrust::policy {

// kAborted, CONFLICTING_STATE: the org is no longer at the version `expected` that the admin's
// change begins from. 0 fits any version.
absl::Status CheckVersion(std::int64_t expected, const OrgState& before);

// Org-wide switches (ORG-1 to ORG-4): changed by an admin, logged. Thread-safe.
class SettingsAdmin {
 public:
  SettingsAdmin(OrgStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  // The contract (devicetrust.org.v1.SettingsService) says what each does and refuses.
  org::v1::GetSettingsResponse Get() const;
  absl::StatusOr<org::v1::SetDeviceTrustResponse> SetDeviceTrust(
      const rpc::Caller& admin, const org::v1::SetDeviceTrustRequest& request);
  absl::StatusOr<org::v1::SetCapabilityResponse> SetCapability(
      const rpc::Caller& admin, const org::v1::SetCapabilityRequest& request);
  absl::StatusOr<org::v1::SetReadOnlyResponse> SetReadOnly(
      const rpc::Caller& admin, const org::v1::SetReadOnlyRequest& request);
  absl::StatusOr<org::v1::SetAdIntegrationResponse> SetAdIntegration(
      const rpc::Caller& admin, const org::v1::SetAdIntegrationRequest& request);
  absl::StatusOr<org::v1::SetDisplayNameResponse> SetDisplayName(
      const rpc::Caller& admin, const org::v1::SetDisplayNameRequest& request);
  absl::StatusOr<org::v1::SetSessionLimitsResponse> SetSessionLimits(
      const rpc::Caller& admin, const org::v1::SetSessionLimitsRequest& request);
  absl::StatusOr<org::v1::SetFactorSelfEnrollmentResponse> SetFactorSelfEnrollment(
      const rpc::Caller& admin, const org::v1::SetFactorSelfEnrollmentRequest& request);
  absl::StatusOr<org::v1::SetIwaFailoverResponse> SetIwaFailover(
      const rpc::Caller& admin, const org::v1::SetIwaFailoverRequest& request);
  absl::StatusOr<org::v1::SetDefaultNameIdFormatResponse> SetDefaultNameIdFormat(
      const rpc::Caller& admin, const org::v1::SetDefaultNameIdFormatRequest& request);

 private:
  // One change of the settings; the System Log says of each what it was and what it is. Answers
  // with what is in force after it, and with the warnings.
  template <typename Response>
  absl::StatusOr<Response> Apply(const rpc::Caller& admin, const org::v1::PolicySettings& wish,
                                 std::int64_t expected_version, bool force = false);

  OrgStore& store_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
