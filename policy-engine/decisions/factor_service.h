#pragma once

#include "devicetrust/org/v1/factors.grpc.pb.h"
#include "policy-engine/decisions/factor_enrollment.h"

namespace devicetrust::policy {

// Second factors over gRPC: translates for FactorEnrollment.
class FactorService final : public org::v1::FactorService::Service {
 public:
  explicit FactorService(FactorEnrollment& factors) : factors_(factors) {}

  grpc::Status BeginTotpEnrollment(grpc::ServerContext* context,
                                   const org::v1::BeginTotpEnrollmentRequest* request,
                                   org::v1::BeginTotpEnrollmentResponse* response) override;
  grpc::Status ConfirmTotpEnrollment(grpc::ServerContext* context,
                                     const org::v1::ConfirmTotpEnrollmentRequest* request,
                                     org::v1::ConfirmTotpEnrollmentResponse* response) override;
  grpc::Status MakeRecoveryCodes(grpc::ServerContext* context,
                                 const org::v1::MakeRecoveryCodesRequest* request,
                                 org::v1::MakeRecoveryCodesResponse* response) override;
  grpc::Status ShowFactor(grpc::ServerContext* context, const org::v1::ShowFactorRequest* request,
                          org::v1::ShowFactorResponse* response) override;
  grpc::Status GetFactorStatus(grpc::ServerContext* context,
                               const org::v1::GetFactorStatusRequest* request,
                               org::v1::GetFactorStatusResponse* response) override;

 private:
  FactorEnrollment& factors_;
};

}  // namespace devicetrust::policy
