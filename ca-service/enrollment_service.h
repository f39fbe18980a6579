#pragma once

#include "ca-service/enroller.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"

namespace devicetrust::ca {

// v1.EnrollmentService: translates, decides nothing.
class EnrollmentService final : public v1::EnrollmentService::Service {
 public:
  // `enroller` and `ca` must outlive it.
  EnrollmentService(Enroller& enroller, const IssuingCa& ca) : enroller_(enroller), ca_(ca) {}

  grpc::Status Enroll(grpc::ServerContext* context, const v1::EnrollRequest* request,
                      v1::EnrollResponse* response) override;

 private:
  Enroller& enroller_;
  const IssuingCa& ca_;
};

}  // namespace devicetrust::ca
