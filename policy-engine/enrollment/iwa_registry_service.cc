#include "policy-engine/enrollment/iwa_registry_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status IwaRegistryService::RegisterIwa(grpc::ServerContext* context,
                                             const v1::RegisterIwaRequest* request,
                                             v1::RegisterIwaResponse* response) {
  return AnswerCaller(*context, *request, response,
                      [this](const auto&... call) { return iwas_.Register(call...); });
}

grpc::Status IwaRegistryService::Heartbeat(grpc::ServerContext* context,
                                           const v1::HeartbeatRequest* request,
                                           v1::HeartbeatResponse* response) {
  return AnswerCaller(*context, *request, response,
                      [this](const auto&... call) { return iwas_.Heartbeat(call...); });
}

grpc::Status IwaRegistryService::ListIwas(grpc::ServerContext* /*context*/,
                                          const v1::ListIwasRequest* /*request*/,
                                          v1::ListIwasResponse* response) {
  return Answer(iwas_.List(), response);
}

grpc::Status IwaRegistryService::SetIwaEnabled(grpc::ServerContext* context,
                                               const v1::SetIwaEnabledRequest* request,
                                               v1::SetIwaEnabledResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return iwas_.SetEnabled(call...); });
}

grpc::Status IwaRegistryService::SetIwaDomains(grpc::ServerContext* context,
                                               const v1::SetIwaDomainsRequest* request,
                                               v1::SetIwaDomainsResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return iwas_.SetDomains(call...); });
}

}  // namespace devicetrust::policy
