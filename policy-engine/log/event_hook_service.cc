#include "policy-engine/log/event_hook_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status EventHookService::AddHook(grpc::ServerContext* context,
                                       const v1::AddHookRequest* request,
                                       v1::AddHookResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return hooks_.Add(call...); });
}

grpc::Status EventHookService::ListHooks(grpc::ServerContext* /*context*/,
                                         const v1::ListHooksRequest* /*request*/,
                                         v1::ListHooksResponse* response) {
  return Answer(hooks_.List(), response);
}

grpc::Status EventHookService::SetHookEnabled(grpc::ServerContext* context,
                                              const v1::SetHookEnabledRequest* request,
                                              v1::SetHookEnabledResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return hooks_.SetEnabled(call...); });
}

grpc::Status EventHookService::RemoveHook(grpc::ServerContext* context,
                                          const v1::RemoveHookRequest* request,
                                          v1::RemoveHookResponse* response) {
  return AnswerAdmin(
      *context, *request, response,
      [this](const rpc::Caller& admin,
             const v1::RemoveHookRequest& asked) -> absl::StatusOr<v1::RemoveHookResponse> {
        DT_RETURN_IF_ERROR(hooks_.Remove(admin, asked.name()));
        return v1::RemoveHookResponse();
      });
}

grpc::Status EventHookService::RotateHookKey(grpc::ServerContext* context,
                                             const v1::RotateHookKeyRequest* request,
                                             v1::RotateHookKeyResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return hooks_.RotateKey(call...); });
}

grpc::Status EventHookService::TestHook(grpc::ServerContext* context,
                                        const v1::TestHookRequest* request,
                                        v1::TestHookResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const rpc::Caller& /*admin*/, const v1::TestHookRequest& asked) {
                       return hooks_.Test(asked.name());
                     });
}

grpc::Status EventHookService::ListDeadLetters(grpc::ServerContext* /*context*/,
                                               const v1::ListDeadLettersRequest* request,
                                               v1::ListDeadLettersResponse* response) {
  return Answer(hooks_.DeadLetters(request->name()), response);
}

grpc::Status EventHookService::ResendDeadLetters(grpc::ServerContext* context,
                                                 const v1::ResendDeadLettersRequest* request,
                                                 v1::ResendDeadLettersResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const rpc::Caller& admin, const v1::ResendDeadLettersRequest& asked)
                         -> absl::StatusOr<v1::ResendDeadLettersResponse> {
                       v1::ResendDeadLettersResponse answer;
                       DT_ASSIGN_OR_RETURN(const std::int32_t count,
                                           hooks_.Resend(admin, asked.name(), asked.id()));
                       answer.set_count(count);
                       return answer;
                     });
}

}  // namespace devicetrust::policy
