#include "libs/admin/admin_stubs.h"

namespace devicetrust::admin {
namespace {

using Policies = org::v1::PolicyAnalysisService;

// All people of the org are looked at.
constexpr std::chrono::seconds kAnalysisTimeout{60};

}  // namespace

absl::StatusOr<org::v1::WhatIfResponse> AdminClient::WhatIf(const org::v1::WhatIfRequest& request) {
  return stubs_->Org(stubs_->policies, &Policies::Stub::WhatIf, request);
}

absl::StatusOr<org::v1::AnalyzePolicyResponse> AdminClient::AnalyzePolicy(
    const org::v1::AnalyzePolicyRequest& request) {
  if (stubs_->policies == nullptr) return NoAddress(stubs_->org_peer);
  auto answer =
      rpc::Call(*stubs_->policies, &Policies::Stub::AnalyzePolicy, request, kAnalysisTimeout);
  if (!answer.ok()) return Explained(answer.status(), stubs_->org_peer);
  return answer;
}

absl::StatusOr<org::v1::ComparePoliciesResponse> AdminClient::ComparePolicies(
    const org::v1::ComparePoliciesRequest& request) {
  if (stubs_->policies == nullptr) return NoAddress(stubs_->org_peer);
  auto answer =
      rpc::Call(*stubs_->policies, &Policies::Stub::ComparePolicies, request, kAnalysisTimeout);
  if (!answer.ok()) return Explained(answer.status(), stubs_->org_peer);
  return answer;
}

absl::StatusOr<org::v1::ReplaySummary> AdminClient::ReplaySignIns(
    const org::v1::ReplaySignInsRequest& request,
    const std::function<bool(const org::v1::SignInFlip&)>& flip) {
  if (stubs_->policies == nullptr) return NoAddress(stubs_->org_peer);
  grpc::ClientContext context;  // No deadline: it takes as long as there are decisions.
  const auto reader = stubs_->policies->ReplaySignIns(&context, request);
  org::v1::ReplaySignInsResponse part;
  org::v1::ReplaySummary summary;
  while (reader->Read(&part)) {
    if (part.has_summary()) summary = part.summary();
    if (!part.has_flip() || flip(part.flip())) continue;
    context.TryCancel();
    static_cast<void>(reader->Finish());
    return absl::CancelledError("the reader has had enough");
  }
  const absl::Status ended = rpc::FromGrpc(reader->Finish());
  if (!ended.ok()) return Explained(ended, stubs_->org_peer);
  return summary;
}

}  // namespace devicetrust::admin
