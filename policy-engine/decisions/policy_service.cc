#include "policy-engine/decisions/policy_service.h"

#include <utility>

#include "libs/rpc/status.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

template <typename Message>
grpc::Status Answer(absl::StatusOr<Message> result, Message* response) {
  if (!result.ok()) return rpc::ToGrpc(rpc::StoreError(std::move(result).status()));
  *response = *std::move(result);
  return grpc::Status::OK;
}

}  // namespace

grpc::Status PolicyService::PutApp(grpc::ServerContext* context, const v1::PutAppRequest* request,
                                   v1::App* response) {
  const auto admin = RequireAdmin(caller_, context);
  if (!admin.ok()) return rpc::ToGrpc(admin.status());
  return Answer(apps_.PutApp(*admin, *request), response);
}

grpc::Status PolicyService::ListApps(grpc::ServerContext* /*context*/,
                                     const v1::ListAppsRequest* request,
                                     v1::ListAppsResponse* response) {
  const std::shared_ptr<const OrgState> state = store_.state();
  response->set_version(state->version);
  response->set_device_trust_effective(state->DeviceTrustEffective());
  response->set_learn_more_url(state->settings.learn_more_url());
  response->set_inconsistent(state->settings.inconsistent());
  response->set_unchanged(request->known_version() == state->version);
  if (response->unchanged()) return grpc::Status::OK;
  for (const auto& [id, app] : state->apps) *response->add_apps() = app.app;
  return grpc::Status::OK;
}

grpc::Status PolicyService::SetRules(grpc::ServerContext* context,
                                     const v1::SetRulesRequest* request, v1::App* response) {
  const auto admin = RequireAdmin(caller_, context);
  if (!admin.ok()) return rpc::ToGrpc(admin.status());
  return Answer(apps_.SetRules(*admin, *request), response);
}

grpc::Status PolicyService::SetZones(grpc::ServerContext* context,
                                     const v1::SetZonesRequest* request,
                                     v1::SetZonesResponse* /*response*/) {
  const auto admin = RequireAdmin(caller_, context);
  if (!admin.ok()) return rpc::ToGrpc(admin.status());
  return rpc::ToGrpc(rpc::StoreError(apps_.SetZones(*admin, *request)));
}

grpc::Status PolicyService::Evaluate(grpc::ServerContext* /*context*/,
                                     const v1::EvaluateRequest* request,
                                     v1::EvaluateResponse* response) {
  return Answer(sign_on_.Evaluate(*request), response);
}

grpc::Status PolicyService::CompleteFactor(grpc::ServerContext* /*context*/,
                                           const v1::CompleteFactorRequest* request,
                                           v1::EvaluateResponse* response) {
  return Answer(sign_on_.CompleteFactor(*request), response);
}

grpc::Status PolicyService::ExplainDecision(grpc::ServerContext* /*context*/,
                                            const v1::ExplainDecisionRequest* request,
                                            v1::Decision* response) {
  return Answer(sign_on_.Explain(request->code()), response);
}

}  // namespace devicetrust::policy
