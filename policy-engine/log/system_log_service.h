#pragma once

#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "policy-engine/log/log_heads.h"
#include "policy-engine/log/system_log.h"

namespace devicetrust::policy {

// The System Log over gRPC: translates for SystemLog and LogHeads.
class SystemLogService final : public org::v1::SystemLogService::Service {
 public:
  SystemLogService(SystemLog& log, LogHeads& heads) : log_(log), heads_(heads) {}

  grpc::Status AppendEvents(grpc::ServerContext* context,
                            const org::v1::AppendEventsRequest* request,
                            org::v1::AppendEventsResponse* response) override;
  grpc::Status SearchEvents(grpc::ServerContext* context,
                            const org::v1::SearchEventsRequest* request,
                            org::v1::SearchEventsResponse* response) override;
  grpc::Status TailEvents(grpc::ServerContext* context, const org::v1::TailEventsRequest* request,
                          grpc::ServerWriter<org::v1::TailEventsResponse>* writer) override;
  grpc::Status CountEvents(grpc::ServerContext* context, const org::v1::CountEventsRequest* request,
                           org::v1::CountEventsResponse* response) override;
  grpc::Status GetLogChain(grpc::ServerContext* context, const org::v1::GetLogChainRequest* request,
                           org::v1::GetLogChainResponse* response) override;
  grpc::Status ListLogHeads(grpc::ServerContext* context,
                            const org::v1::ListLogHeadsRequest* request,
                            org::v1::ListLogHeadsResponse* response) override;

 private:
  SystemLog& log_;
  LogHeads& heads_;
};

}  // namespace devicetrust::policy
