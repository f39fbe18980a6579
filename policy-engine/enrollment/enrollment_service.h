#pragma once

#include "devicetrust/org/v1/enrollment.grpc.pb.h"
#include "policy-engine/enrollment/enrollment_authority.h"

namespace devicetrust::policy {

// The org's word on enrollments over gRPC: translates for EnrollmentAuthority.
class EnrollmentService final : public org::v1::EnrollmentService::Service {
 public:
  explicit EnrollmentService(EnrollmentAuthority& authority) : authority_(authority) {}

  grpc::Status AuthorizeEnrollments(grpc::ServerContext* context,
                                    const org::v1::AuthorizeEnrollmentsRequest* request,
                                    org::v1::AuthorizeEnrollmentsResponse* response) override;

 private:
  EnrollmentAuthority& authority_;
};

}  // namespace devicetrust::policy
