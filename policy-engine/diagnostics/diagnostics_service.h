#pragma once

#include "devicetrust/org/v1/diagnostics.grpc.pb.h"
#include "policy-engine/diagnostics/diagnostics.h"

namespace devicetrust::policy {

// Diagnoses over gRPC: translates for Diagnostics.
class DiagnosticsService final : public org::v1::DiagnosticsService::Service {
 public:
  explicit DiagnosticsService(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  grpc::Status Diagnose(grpc::ServerContext* context, const org::v1::DiagnoseRequest* request,
                        org::v1::DiagnoseResponse* response) override;

 private:
  Diagnostics& diagnostics_;
};

}  // namespace devicetrust::policy
