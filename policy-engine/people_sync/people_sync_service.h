#pragma once

#include "devicetrust/org/v1/people_sync.grpc.pb.h"
#include "policy-engine/people_sync/people_sync.h"

namespace devicetrust::policy {

// The sync of people over gRPC: translates for PeopleSync.
class PeopleSyncService final : public org::v1::PeopleSyncService::Service {
 public:
  explicit PeopleSyncService(PeopleSync& sync) : sync_(sync) {}

  grpc::Status GetPeopleSync(grpc::ServerContext* context,
                             const org::v1::GetPeopleSyncRequest* request,
                             org::v1::GetPeopleSyncResponse* response) override;
  grpc::Status RunPeopleSync(grpc::ServerContext* context,
                             const org::v1::RunPeopleSyncRequest* request,
                             org::v1::RunPeopleSyncResponse* response) override;
  grpc::Status ApprovePeopleSync(grpc::ServerContext* context,
                                 const org::v1::ApprovePeopleSyncRequest* request,
                                 org::v1::ApprovePeopleSyncResponse* response) override;

 private:
  PeopleSync& sync_;
};

}  // namespace devicetrust::policy
