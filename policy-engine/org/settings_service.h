#pragma once

#include "devicetrust/org/v1/settings.grpc.pb.h"
#include "policy-engine/org/settings_admin.h"

namespace devicetrust::policy {

// Org-wide switches over gRPC: translates for SettingsAdmin.
class SettingsService final : public org::v1::SettingsService::Service {
 public:
  explicit SettingsService(SettingsAdmin& settings) : settings_(settings) {}

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
  grpc::Status SetDisplayName(grpc::ServerContext* context,
                              const org::v1::SetDisplayNameRequest* request,
                              org::v1::SetDisplayNameResponse* response) override;
  grpc::Status SetSessionLimits(grpc::ServerContext* context,
                                const org::v1::SetSessionLimitsRequest* request,
                                org::v1::SetSessionLimitsResponse* response) override;
  grpc::Status SetFactorSelfEnrollment(grpc::ServerContext* context,
                                       const org::v1::SetFactorSelfEnrollmentRequest* request,
                                       org::v1::SetFactorSelfEnrollmentResponse* response) override;
  grpc::Status SetIwaFailover(grpc::ServerContext* context,
                              const org::v1::SetIwaFailoverRequest* request,
                              org::v1::SetIwaFailoverResponse* response) override;
  grpc::Status SetDefaultNameIdFormat(grpc::ServerContext* context,
                                      const org::v1::SetDefaultNameIdFormatRequest* request,
                                      org::v1::SetDefaultNameIdFormatResponse* response) override;

 private:
  SettingsAdmin& settings_;
};

}  // namespace devicetrust::policy
