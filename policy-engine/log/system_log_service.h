#pragma once

#include "devicetrust/org/v1/system_log.grpc.pb.h"
#include "policy-engine/log/system_log.h"

namespace devicetrust::policy {

// The gRPC face of the System Log.
class SystemLogService final : public org::v1::SystemLog::Service {
 public:
  explicit SystemLogService(SystemLog& log) : log_(log) {}

  grpc::Status Append(grpc::ServerContext* context, const org::v1::AppendRequest* request,
                      org::v1::AppendResponse* response) override;
  grpc::Status Search(grpc::ServerContext* context, const org::v1::SearchRequest* request,
                      org::v1::SearchResponse* response) override;
  grpc::Status Tail(grpc::ServerContext* context, const org::v1::TailRequest* request,
                    grpc::ServerWriter<org::v1::TailResponse>* writer) override;
  grpc::Status Count(grpc::ServerContext* context, const org::v1::CountRequest* request,
                     org::v1::CountResponse* response) override;

 private:
  SystemLog& log_;
};

}  // namespace devicetrust::policy
