#pragma once

#include <functional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/settings.pb.h"
#include "libs/base/clock.h"
#include "libs/rpc/caller.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

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

 private:
  // The settings as a change leaves them.
  struct Edit {
    org::v1::OrgSettings settings;
    bool disabled_by_force = false;
    std::vector<std::string> warnings;
  };
  using EditFn = std::function<absl::Status(Edit&, const OrgState&)>;

  // One change of the settings; the System Log says of each what it was and what it is. Returns
  // what is in force after it, and the warnings of `edit`.
  absl::StatusOr<Edit> Apply(const rpc::Caller& admin, const EditFn& edit);
  absl::Status EditDeviceTrust(const rpc::Caller& admin,
                               const org::v1::SetDeviceTrustRequest& request, Edit& edit,
                               const OrgState& before) const;

  OrgStore& store_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
