#pragma once

#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "libs/base/clock.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/service_caller.h"

namespace devicetrust::policy {

// Org-wide switches (ORG-1 to ORG-4). The contract says what each method does.
class SettingsService final : public org::v1::SettingsService::Service {
 public:
  SettingsService(OrgStore& store, const Clock& clock, CallerLookup caller)
      : store_(store), clock_(clock), caller_(std::move(caller)) {}

  grpc::Status GetSettings(grpc::ServerContext* context, const org::v1::GetSettingsRequest* request,
                           org::v1::GetSettingsResponse* response) override;
  grpc::Status SetDeviceTrust(grpc::ServerContext* context,
                              const org::v1::SetDeviceTrustRequest* request,
                              org::v1::SetDeviceTrustResponse* response) override;
  grpc::Status SetCapability(grpc::ServerContext* context,
                             const org::v1::SetCapabilityRequest* request,
                             org::v1::SetCapabilityResponse* response) override;
  grpc::Status SetReadOnly(grpc::ServerContext* context, const org::v1::SetReadOnlyRequest* request,
                           org::v1::SetReadOnlyResponse* response) override;
  grpc::Status SetAdIntegration(grpc::ServerContext* context,
                                const org::v1::SetAdIntegrationRequest* request,
                                org::v1::SetAdIntegrationResponse* response) override;

 private:
  struct Edit {
    org::v1::OrgSettings settings;
    bool forced_off = false;
    std::vector<std::string> warnings;
  };
  using EditFn = std::function<absl::Status(Edit&, const OrgState&, const rpc::Caller&)>;

  // One change of the settings by an admin; `what` names it in the System Log.
  absl::StatusOr<Edit> Apply(const grpc::ServerContext* context, const std::string& what,
                             const std::string& value, const EditFn& edit);
  absl::Status EditDeviceTrust(const org::v1::SetDeviceTrustRequest& request, Edit& edit,
                               const OrgState& before, const rpc::Caller& caller) const;

  OrgStore& store_;
  const Clock& clock_;
  const CallerLookup caller_;
};

}  // namespace devicetrust::policy
