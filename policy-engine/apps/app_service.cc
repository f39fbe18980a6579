#include "policy-engine/apps/app_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status AppService::PutApp(grpc::ServerContext* context, const v1::PutAppRequest* request,
                                v1::PutAppResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return apps_.PutApp(call...); });
}

grpc::Status AppService::PreviewApp(grpc::ServerContext* /*context*/,
                                    const v1::PreviewAppRequest* request,
                                    v1::PreviewAppResponse* response) {
  return Answer(apps_.PreviewApp(*request), response);
}

grpc::Status AppService::GetApp(grpc::ServerContext* /*context*/, const v1::GetAppRequest* request,
                                v1::GetAppResponse* response) {
  return Answer(apps_.GetApp(*request), response);
}

grpc::Status AppService::ListApps(grpc::ServerContext* /*context*/,
                                  const v1::ListAppsRequest* request,
                                  v1::ListAppsResponse* response) {
  *response = apps_.ListApps(*request);
  return grpc::Status::OK;
}

grpc::Status AppService::RemoveApp(grpc::ServerContext* context,
                                   const v1::RemoveAppRequest* request,
                                   v1::RemoveAppResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return apps_.RemoveApp(call...); });
}

grpc::Status AppService::SetRules(grpc::ServerContext* context, const v1::SetRulesRequest* request,
                                  v1::SetRulesResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return apps_.SetRules(call...); });
}

grpc::Status AppService::SetAppLogo(grpc::ServerContext* context,
                                    const v1::SetAppLogoRequest* request,
                                    v1::SetAppLogoResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return logos_.Set(call...); });
}

}  // namespace devicetrust::policy
