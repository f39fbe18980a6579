#pragma once

#include "ca-service/enroller.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"

namespace devicetrust::ca {

// v1.EnrollmentService: translates, decides nothing.
class EnrollmentService final : public v1::EnrollmentService::Service {
 public:
  // Both must outlive it.
  EnrollmentService(Enroller& enroller, const Issuers& issuers)
      : enroller_(enroller), issuers_(issuers) {}

  grpc::Status Enroll(grpc::ServerContext* context, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override;

 private:
  Enroller& enroller_;
  const Issuers& issuers_;
};

}  // namespace devicetrust::ca
