#include "policy-engine/decisions/policy_analysis_service.h"

#include <algorithm>

#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/sign_in_replay.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

namespace {

constexpr int kFlipsUsual = 100;
constexpr int kFlipsMax = 10'000;

}  // namespace

grpc::Status PolicyAnalysisService::WhatIf(grpc::ServerContext* /*context*/,
                                           const v1::WhatIfRequest* request,
                                           v1::WhatIfResponse* response) {
  return Answer(analysis_.WhatIf(*request), response);
}

grpc::Status PolicyAnalysisService::AnalyzePolicy(grpc::ServerContext* /*context*/,
                                                  const v1::AnalyzePolicyRequest* request,
                                                  v1::AnalyzePolicyResponse* response) {
  return Answer(analysis_.Analyze(*request), response);
}

grpc::Status PolicyAnalysisService::ComparePolicies(grpc::ServerContext* /*context*/,
                                                    const v1::ComparePoliciesRequest* request,
                                                    v1::ComparePoliciesResponse* response) {
  return Answer(analysis_.Compare(*request), response);
}

grpc::Status PolicyAnalysisService::ReplaySignIns(
    grpc::ServerContext* context, const v1::ReplaySignInsRequest* request,
    grpc::ServerWriter<v1::ReplaySignInsResponse>* writer) {
  const auto draft = drafts_.Compile(request->policy());
  if (!draft.ok()) return rpc::ToGrpc(rpc::StoreError(draft.status()));
  ReplayRange range;
  range.app_id = draft->app->app.id();
  range.since = rpc::FromTimestamp(request->since());
  range.until = request->has_until() ? rpc::FromTimestamp(request->until())
                                     : clock_.Now() + std::chrono::days{1};
  const int asked = request->flips_max();
  range.flips_max = asked > 0 ? std::min(asked, kFlipsMax) : kFlipsUsual;
  const auto tell = [&](const v1::SignInFlip& flip) {
    v1::ReplaySignInsResponse part;
    *part.mutable_flip() = flip;
    return !context->IsCancelled() && writer->Write(part);
  };
  auto summary = policy::ReplaySignIns(database_, *draft->policy, range, tell);
  if (!summary.ok()) return rpc::ToGrpc(rpc::StoreError(summary.status()));
  v1::ReplaySignInsResponse last;
  *last.mutable_summary() = *std::move(summary);
  writer->Write(last);
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
