#include "policy-engine/console/console_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status AdminRoleService::GrantRole(grpc::ServerContext* context,
                                         const v1::GrantRoleRequest* request,
                                         v1::GrantRoleResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return roles_.Grant(call...); });
}

grpc::Status AdminRoleService::RevokeRole(grpc::ServerContext* context,
                                          const v1::RevokeRoleRequest* request,
                                          v1::RevokeRoleResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return roles_.Revoke(call...); });
}

grpc::Status AdminRoleService::ListAdmins(grpc::ServerContext* /*context*/,
                                          const v1::ListAdminsRequest* /*request*/,
                                          v1::ListAdminsResponse* response) {
  return Answer(roles_.List(), response);
}

grpc::Status ConsoleService::GetConsole(grpc::ServerContext* /*context*/,
                                        const v1::GetConsoleRequest* request,
                                        v1::GetConsoleResponse* response) {
  return Answer(console_.Get(*request), response);
}

grpc::Status ConsoleService::OpenConsole(grpc::ServerContext* /*context*/,
                                         const v1::OpenConsoleRequest* request,
                                         v1::OpenConsoleResponse* response) {
  return Answer(console_.Open(*request), response);
}

grpc::Status ConsoleService::CloseConsole(grpc::ServerContext* /*context*/,
                                          const v1::CloseConsoleRequest* request,
                                          v1::CloseConsoleResponse* response) {
  return Answer(console_.Close(*request), response);
}

grpc::Status ConsoleService::AuthorizeCall(grpc::ServerContext* /*context*/,
                                           const v1::AuthorizeCallRequest* request,
                                           v1::AuthorizeCallResponse* response) {
  return Answer(console_.Authorize(*request), response);
}

}  // namespace devicetrust::policy
