#pragma once

#include "devicetrust/org/v1/history.grpc.pb.h"
#include "policy-engine/apps/version_history.h"

namespace devicetrust::policy {

// Versions over gRPC: translates for VersionHistory.
class HistoryService final : public org::v1::HistoryService::Service {
 public:
  explicit HistoryService(VersionHistory& history) : history_(history) {}

  grpc::Status ListVersions(grpc::ServerContext* context,
                            const org::v1::ListVersionsRequest* request,
                            org::v1::ListVersionsResponse* response) override;
  grpc::Status GetVersion(grpc::ServerContext* context, const org::v1::GetVersionRequest* request,
                          org::v1::GetVersionResponse* response) override;
  grpc::Status Rollback(grpc::ServerContext* context, const org::v1::RollbackRequest* request,
                        org::v1::RollbackResponse* response) override;

 private:
  VersionHistory& history_;
};

}  // namespace devicetrust::policy
