#include "policy-engine/apps/policy_document_service.h"

#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

grpc::Status PolicyDocumentService::ExportPolicy(grpc::ServerContext* /*context*/,
                                                 const v1::ExportPolicyRequest* request,
                                                 v1::ExportPolicyResponse* response) {
  return Answer(documents_.Export(*request), response);
}

grpc::Status PolicyDocumentService::ApplyPolicy(grpc::ServerContext* context,
                                                const v1::ApplyPolicyRequest* request,
                                                v1::ApplyPolicyResponse* response) {
  return AnswerAdmin(*context, *request, response,
                     [this](const auto&... call) { return documents_.Apply(call...); });
}

}  // namespace devicetrust::policy
