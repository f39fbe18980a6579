#include "policy-engine/decisions/decision_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status DecisionService::Evaluate(grpc::ServerContext* /*context*/,
                                       const v1::EvaluateRequest* request,
                                       v1::EvaluateResponse* response) {
  return Answer(sign_on_.Evaluate(*request), response);
}

grpc::Status DecisionService::CompleteFactor(grpc::ServerContext* /*context*/,
                                             const v1::CompleteFactorRequest* request,
                                             v1::CompleteFactorResponse* response) {
  return Answer(sign_on_.CompleteFactor(*request), response);
}

grpc::Status DecisionService::ExplainDecision(grpc::ServerContext* /*context*/,
                                              const v1::ExplainDecisionRequest* request,
                                              v1::ExplainDecisionResponse* response) {
  return Answer(sign_on_.Explain(*request), response);
}

}  // namespace devicetrust::policy
