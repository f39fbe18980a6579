#include "policy-engine/org/settings_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status SettingsService::GetSettings(grpc::ServerContext* /*context*/,
                                          const v1::GetSettingsRequest* /*request*/,
                                          v1::GetSettingsResponse* response) {
  *response = settings_.Get();
  return grpc::Status::OK;
}

grpc::Status SettingsService::SetDeviceTrust(grpc::ServerContext* context,
                                             const v1::SetDeviceTrustRequest* request,
                                             v1::SetDeviceTrustResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetDeviceTrust(call...); });
}

grpc::Status SettingsService::SetCapability(grpc::ServerContext* context,
                                            const v1::SetCapabilityRequest* request,
                                            v1::SetCapabilityResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetCapability(call...); });
}

grpc::Status SettingsService::SetReadOnly(grpc::ServerContext* context,
                                          const v1::SetReadOnlyRequest* request,
                                          v1::SetReadOnlyResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetReadOnly(call...); });
}

grpc::Status SettingsService::SetAdIntegration(grpc::ServerContext* context,
                                               const v1::SetAdIntegrationRequest* request,
                                               v1::SetAdIntegrationResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetAdIntegration(call...); });
}

grpc::Status SettingsService::SetDisplayName(grpc::ServerContext* context,
                                             const v1::SetDisplayNameRequest* request,
                                             v1::SetDisplayNameResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetDisplayName(call...); });
}

grpc::Status SettingsService::SetSessionLimits(grpc::ServerContext* context,
                                               const v1::SetSessionLimitsRequest* request,
                                               v1::SetSessionLimitsResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetSessionLimits(call...); });
}

grpc::Status SettingsService::SetFactorSelfEnrollment(
    grpc::ServerContext* context, const v1::SetFactorSelfEnrollmentRequest* request,
    v1::SetFactorSelfEnrollmentResponse* response) {
  return AnswerAdmin(*context, *request, response, [this](const auto&... call) {
    return settings_.SetFactorSelfEnrollment(call...);
  });
}

grpc::Status SettingsService::SetIwaFailover(grpc::ServerContext* context,
                                             const v1::SetIwaFailoverRequest* request,
                                             v1::SetIwaFailoverResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return settings_.SetIwaFailover(call...); });
}

grpc::Status SettingsService::SetDefaultNameIdFormat(
    grpc::ServerContext* context, const v1::SetDefaultNameIdFormatRequest* request,
    v1::SetDefaultNameIdFormatResponse* response) {
  return AnswerAdmin(*context, *request, response, [this](const auto&... call) {
    return settings_.SetDefaultNameIdFormat(call...);
  });
}

}  // namespace devicetrust::policy
