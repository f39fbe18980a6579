#pragma once

#include "devicetrust/org/v1/decisions.grpc.pb.h"
#include "policy-engine/decisions/decision_history.h"
#include "policy-engine/decisions/factor_completion.h"
#include "policy-engine/decisions/sign_on_queue.h"

namespace devicetrust::policy {

// Sign-on decisions over gRPC: translates for SignOn, FactorCompletion and DecisionHistory.
// No thread waits for an Evaluate() to be durable: a blocked one costs more than its decision.
class DecisionService final : public org::v1::DecisionService::WithCallbackMethod_Evaluate<
                                  org::v1::DecisionService::Service> {
 public:
  DecisionService(SignOn& sign_on, FactorCompletion& factors, const DecisionHistory& history)
      : factors_(factors), history_(history), sign_ons_(sign_on) {}

  grpc::ServerUnaryReactor* Evaluate(grpc::CallbackServerContext* context,
                                     const org::v1::EvaluateRequest* request,
                                     org::v1::EvaluateResponse* response) override;
  grpc::Status CompleteFactor(grpc::ServerContext* context,
                              const org::v1::CompleteFactorRequest* request,
                              org::v1::CompleteFactorResponse* response) override;
  grpc::Status ExplainDecision(grpc::ServerContext* context,
                               const org::v1::ExplainDecisionRequest* request,
                               org::v1::ExplainDecisionResponse* response) override;

 private:
  FactorCompletion& factors_;
  const DecisionHistory& history_;
  SignOnQueue sign_ons_;
};

}  // namespace devicetrust::policy
