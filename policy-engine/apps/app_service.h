#pragma once

#include "devicetrust/org/v1/apps.grpc.pb.h"
#include "policy-engine/apps/app_admin.h"
#include "policy-engine/apps/app_logos.h"

namespace devicetrust::policy {

// Apps and their rules over gRPC: translates for AppAdmin.
class AppService final : public org::v1::AppService::Service {
 public:
  AppService(AppAdmin& apps, AppLogos& logos) : apps_(apps), logos_(logos) {}

  grpc::Status PutApp(grpc::ServerContext* context, const org::v1::PutAppRequest* request,
                      org::v1::PutAppResponse* response) override;
  grpc::Status PreviewApp(grpc::ServerContext* context, const org::v1::PreviewAppRequest* request,
                          org::v1::PreviewAppResponse* response) override;
  grpc::Status GetApp(grpc::ServerContext* context, const org::v1::GetAppRequest* request,
                      org::v1::GetAppResponse* response) override;
  grpc::Status ListApps(grpc::ServerContext* context, const org::v1::ListAppsRequest* request,
                        org::v1::ListAppsResponse* response) override;
  grpc::Status RemoveApp(grpc::ServerContext* context, const org::v1::RemoveAppRequest* request,
                         org::v1::RemoveAppResponse* response) override;
  grpc::Status SetRules(grpc::ServerContext* context, const org::v1::SetRulesRequest* request,
                        org::v1::SetRulesResponse* response) override;
  grpc::Status SetAppLogo(grpc::ServerContext* context, const org::v1::SetAppLogoRequest* request,
                          org::v1::SetAppLogoResponse* response) override;

 private:
  AppAdmin& apps_;
  AppLogos& logos_;
};

}  // namespace devicetrust::policy
