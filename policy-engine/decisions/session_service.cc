#include "policy-engine/decisions/session_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status SessionService::ListSessions(grpc::ServerContext* context,
                                          const v1::ListSessionsRequest* request,
                                          v1::ListSessionsResponse* response) {
  return AnswerCaller(*context, *request, response,
                      [this](const auto&... call) { return sessions_.List(call...); });
}

grpc::Status SessionService::EndSessions(grpc::ServerContext* context,
                                         const v1::EndSessionsRequest* request,
                                         v1::EndSessionsResponse* response) {
  return AnswerCaller(*context, *request, response,
                      [this](const auto&... call) { return sessions_.End(call...); });
}

}  // namespace devicetrust::policy
