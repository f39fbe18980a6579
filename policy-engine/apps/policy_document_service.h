#pragma once

#include "devicetrust/org/v1/policy_document.grpc.pb.h"
#include "policy-engine/apps/policy_documents.h"

namespace devicetrust::policy {

// The policy as a document over gRPC: translates for PolicyDocuments.
class PolicyDocumentService final : public org::v1::PolicyDocumentService::Service {
 public:
  explicit PolicyDocumentService(PolicyDocuments& documents) : documents_(documents) {}

  grpc::Status ExportPolicy(grpc::ServerContext* context,
                            const org::v1::ExportPolicyRequest* request,
                            org::v1::ExportPolicyResponse* response) override;
  grpc::Status ApplyPolicy(grpc::ServerContext* context, const org::v1::ApplyPolicyRequest* request,
                           org::v1::ApplyPolicyResponse* response) override;

 private:
  PolicyDocuments& documents_;
};

}  // namespace devicetrust::policy
