#pragma once

#include "devicetrust/org/v1/policy_analysis.grpc.pb.h"
#include "policy-engine/decisions/policy_analysis.h"

namespace devicetrust::policy {

// What rules would do, over gRPC: translates for PolicyAnalysis and ReplaySignIns().
class PolicyAnalysisService final : public org::v1::PolicyAnalysisService::Service {
 public:
  PolicyAnalysisService(const PolicyAnalysis& analysis, const PolicyDrafts& drafts,
                        db::Database& database, const Clock& clock)
      : analysis_(analysis), drafts_(drafts), database_(database), clock_(clock) {}

  grpc::Status WhatIf(grpc::ServerContext* context, const org::v1::WhatIfRequest* request,
                      org::v1::WhatIfResponse* response) override;
  grpc::Status AnalyzePolicy(grpc::ServerContext* context,
                             const org::v1::AnalyzePolicyRequest* request,
                             org::v1::AnalyzePolicyResponse* response) override;
  grpc::Status ComparePolicies(grpc::ServerContext* context,
                               const org::v1::ComparePoliciesRequest* request,
                               org::v1::ComparePoliciesResponse* response) override;
  grpc::Status ReplaySignIns(grpc::ServerContext* context,
                             const org::v1::ReplaySignInsRequest* request,
                             grpc::ServerWriter<org::v1::ReplaySignInsResponse>* writer) override;

 private:
  const PolicyAnalysis& analysis_;
  const PolicyDrafts& drafts_;
  db::Database& database_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
