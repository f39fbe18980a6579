#include "policy-engine/decisions/factor_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status FactorService::BeginTotpEnrollment(grpc::ServerContext* /*context*/,
                                                const v1::BeginTotpEnrollmentRequest* request,
                                                v1::BeginTotpEnrollmentResponse* response) {
  return Answer(factors_.Begin(*request), response);
}

grpc::Status FactorService::ConfirmTotpEnrollment(grpc::ServerContext* /*context*/,
                                                  const v1::ConfirmTotpEnrollmentRequest* request,
                                                  v1::ConfirmTotpEnrollmentResponse* response) {
  return Answer(factors_.Confirm(*request), response);
}

grpc::Status FactorService::MakeRecoveryCodes(grpc::ServerContext* context,
                                              const v1::MakeRecoveryCodesRequest* request,
                                              v1::MakeRecoveryCodesResponse* response) {
  return AnswerCaller(*context, *request, response,
                      [this](const auto&... call) { return factors_.MakeCodes(call...); });
}

grpc::Status FactorService::ShowFactor(grpc::ServerContext* /*context*/,
                                       const v1::ShowFactorRequest* request,
                                       v1::ShowFactorResponse* response) {
  return Answer(factors_.Show(*request), response);
}

grpc::Status FactorService::GetFactorStatus(grpc::ServerContext* /*context*/,
                                            const v1::GetFactorStatusRequest* request,
                                            v1::GetFactorStatusResponse* response) {
  return Answer(factors_.Status(*request), response);
}

}  // namespace devicetrust::policy
