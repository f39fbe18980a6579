#include "policy-engine/decisions/dashboard_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status DashboardService::GetDashboard(grpc::ServerContext* /*context*/,
                                            const v1::GetDashboardRequest* request,
                                            v1::GetDashboardResponse* response) {
  return Answer(dashboard_.Get(*request), response);
}

grpc::Status DashboardService::NoteAppOpened(grpc::ServerContext* /*context*/,
                                             const v1::NoteAppOpenedRequest* request,
                                             v1::NoteAppOpenedResponse* response) {
  return Answer(dashboard_.NoteOpened(*request), response);
}

grpc::Status DashboardService::GetAppLogo(grpc::ServerContext* /*context*/,
                                          const v1::GetAppLogoRequest* request,
                                          v1::GetAppLogoResponse* response) {
  return Answer(dashboard_.Logo(*request), response);
}

}  // namespace devicetrust::policy
