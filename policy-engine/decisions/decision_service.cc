#include "policy-engine/decisions/decision_service.h"

#include <string>
#include <utility>

#include "libs/base/trace.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/result_label.h"
#include "policy-engine/metrics.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

namespace {

std::string TrustLabel(const v1::SignOnResult& result) {
  if (result.trust() == v1::TRUST_STATE_TRUSTED) return "OK";
  return result.trust() == v1::TRUST_STATE_NOT_TRUSTED ? rpc::ReasonName(result.reason()) : "NONE";
}

}  // namespace

grpc::ServerUnaryReactor* DecisionService::Evaluate(grpc::CallbackServerContext* context,
                                                    const v1::EvaluateRequest* request,
                                                    v1::EvaluateResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  sign_ons_.Evaluate(*request, [reactor, response](SignOn::Response decided) {
    if (decided.ok()) {
      const v1::SignOnResult& result = decided->result();
      kDecisions.With({rpc::EnumName(result.outcome())}).Add();
      kDeviceTrust.With({TrustLabel(result)}).Add();
    }
    reactor->Finish(Answer(std::move(decided), response));
  });
  SetCurrentTraceId(TraceId());  // This thread comes to other calls before the answer leaves.
  return reactor;
}

grpc::Status DecisionService::CompleteFactor(grpc::ServerContext* /*context*/,
                                             const v1::CompleteFactorRequest* request,
                                             v1::CompleteFactorResponse* response) {
  auto completed = factors_.Complete(*request);
  kFactors.With({rpc::ResultLabel(completed.status())}).Add();
  return Answer(std::move(completed), response);
}

grpc::Status DecisionService::ExplainDecision(grpc::ServerContext* /*context*/,
                                              const v1::ExplainDecisionRequest* request,
                                              v1::ExplainDecisionResponse* response) {
  return Answer(history_.Explain(*request), response);
}

}  // namespace devicetrust::policy
