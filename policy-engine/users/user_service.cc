#include "policy-engine/users/user_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status UserService::ImportUsers(grpc::ServerContext* context,
                                      const v1::ImportUsersRequest* request,
                                      v1::ImportUsersResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return users_.Import(call...); });
}

grpc::Status UserService::GetUser(grpc::ServerContext* /*context*/,
                                  const v1::GetUserRequest* request,
                                  v1::GetUserResponse* response) {
  return Answer(users_.Get(*request), response);
}

grpc::Status UserService::ListUsers(grpc::ServerContext* /*context*/,
                                    const v1::ListUsersRequest* request,
                                    v1::ListUsersResponse* response) {
  return Answer(users_.List(*request), response);
}

grpc::Status UserService::SetUserStatus(grpc::ServerContext* context,
                                        const v1::SetUserStatusRequest* request,
                                        v1::SetUserStatusResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return users_.SetStatus(call...); });
}

grpc::Status UserService::EnrollFactor(grpc::ServerContext* context,
                                       const v1::EnrollFactorRequest* request,
                                       v1::EnrollFactorResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return users_.EnrollFactor(call...); });
}

grpc::Status UserService::ResetFactors(grpc::ServerContext* context,
                                       const v1::ResetFactorsRequest* request,
                                       v1::ResetFactorsResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return users_.ResetFactors(call...); });
}

}  // namespace devicetrust::policy
