#include "policy-engine/apps/history_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status HistoryService::ListVersions(grpc::ServerContext* /*context*/,
                                          const v1::ListVersionsRequest* request,
                                          v1::ListVersionsResponse* response) {
  return Answer(history_.List(*request), response);
}

grpc::Status HistoryService::GetVersion(grpc::ServerContext* /*context*/,
                                        const v1::GetVersionRequest* request,
                                        v1::GetVersionResponse* response) {
  return Answer(history_.Get(*request), response);
}

grpc::Status HistoryService::Rollback(grpc::ServerContext* context,
                                      const v1::RollbackRequest* request,
                                      v1::RollbackResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return history_.Rollback(call...); });
}

}  // namespace devicetrust::policy
