#include "policy-engine/people_sync/people_sync_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status PeopleSyncService::GetPeopleSync(grpc::ServerContext* /*context*/,
                                              const v1::GetPeopleSyncRequest* /*request*/,
                                              v1::GetPeopleSyncResponse* response) {
  *response = sync_.Get();
  return grpc::Status::OK;
}

grpc::Status PeopleSyncService::RunPeopleSync(grpc::ServerContext* context,
                                              const v1::RunPeopleSyncRequest* request,
                                              v1::RunPeopleSyncResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&, const auto& call) { return sync_.Run(call); });
}

grpc::Status PeopleSyncService::ApprovePeopleSync(grpc::ServerContext* context,
                                                  const v1::ApprovePeopleSyncRequest* request,
                                                  v1::ApprovePeopleSyncResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return sync_.Approve(call...); });
}

}  // namespace devicetrust::policy
