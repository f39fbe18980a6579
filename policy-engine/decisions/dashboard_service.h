#pragma once

#include "devicetrust/org/v1/dashboard.grpc.pb.h"
#include "policy-engine/decisions/dashboard.h"

namespace devicetrust::policy {

// The dashboard over gRPC: translates for Dashboard.
class DashboardService final : public org::v1::DashboardService::Service {
 public:
  explicit DashboardService(Dashboard& dashboard) : dashboard_(dashboard) {}

  grpc::Status GetDashboard(grpc::ServerContext* context,
                            const org::v1::GetDashboardRequest* request,
                            org::v1::GetDashboardResponse* response) override;
  grpc::Status NoteAppOpened(grpc::ServerContext* context,
                             const org::v1::NoteAppOpenedRequest* request,
                             org::v1::NoteAppOpenedResponse* response) override;
  grpc::Status GetAppLogo(grpc::ServerContext* context, const org::v1::GetAppLogoRequest* request,
                          org::v1::GetAppLogoResponse* response) override;

 private:
  Dashboard& dashboard_;
};

}  // namespace devicetrust::policy
