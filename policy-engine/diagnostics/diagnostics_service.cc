#include "policy-engine/diagnostics/diagnostics_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status DiagnosticsService::Diagnose(grpc::ServerContext* /*context*/,
                                          const v1::DiagnoseRequest* request,
                                          v1::DiagnoseResponse* response) {
  return Answer<v1::DiagnoseResponse>(diagnostics_.Diagnose(*request), response);
}

}  // namespace devicetrust::policy
