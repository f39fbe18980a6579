#include "policy-engine/apps/zone_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status ZoneService::GetZones(grpc::ServerContext* /*context*/,
                                   const v1::GetZonesRequest* /*request*/,
                                   v1::GetZonesResponse* response) {
  *response = zones_.GetZones();
  return grpc::Status::OK;
}

grpc::Status ZoneService::SetZones(grpc::ServerContext* context, const v1::SetZonesRequest* request,
                                   v1::SetZonesResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return zones_.SetZones(call...); });
}

}  // namespace devicetrust::policy
