#include "policy-engine/authentication/authentication_service.h"

#include <utility>

#include "libs/rpc/result_label.h"
#include "policy-engine/metrics.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status AuthenticationService::StartSession(grpc::ServerContext* /*context*/,
                                                 const v1::StartSessionRequest* request,
                                                 v1::StartSessionResponse* response) {
  auto started = authenticator_.StartSession(*request);
  kPasswords.With({rpc::ResultLabel(started.status())}).Add();
  return Answer(std::move(started), response);
}

grpc::Status AuthenticationService::StartTicketSession(grpc::ServerContext* /*context*/,
                                                       const v1::StartTicketSessionRequest* request,
                                                       v1::StartTicketSessionResponse* response) {
  auto started = authenticator_.StartTicketSession(*request);
  kTickets.With({rpc::ResultLabel(started.status())}).Add();
  return Answer(std::move(started), response);
}

grpc::Status AuthenticationService::EndSession(grpc::ServerContext* /*context*/,
                                               const v1::EndSessionRequest* request,
                                               v1::EndSessionResponse* response) {
  return Answer(authenticator_.EndSession(*request), response);
}

}  // namespace devicetrust::policy
