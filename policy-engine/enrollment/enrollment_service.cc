#include "policy-engine/enrollment/enrollment_service.h"

#include <utility>

#include "google/rpc/status.pb.h"
#include "libs/rpc/result_label.h"
#include "policy-engine/metrics.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status EnrollmentService::AuthorizeEnrollments(grpc::ServerContext* /*context*/,
                                                     const v1::AuthorizeEnrollmentsRequest* request,
                                                     v1::AuthorizeEnrollmentsResponse* response) {
  auto results = authority_.Authorize(request->enrollments());
  if (!results.ok()) return rpc::ToGrpc(rpc::StoreError(results.status()));
  for (EnrollmentAuthority::Result& result : *results) {
    kEnrollmentsAuthorized.With({rpc::ResultLabel(result.status())}).Add();
    v1::EnrollmentResult& message = *response->add_results();
    if (result.ok()) {
      *message.mutable_authorized() = *std::move(result);
    } else {
      *message.mutable_refused() = rpc::ToMessage(result.status());
    }
  }
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
