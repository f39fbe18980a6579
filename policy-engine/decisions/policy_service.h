#pragma once

#include "devicetrust/org/v1/policy.grpc.pb.h"
#include "policy-engine/apps/app_admin.h"
#include "policy-engine/decisions/sign_on.h"
#include "policy-engine/service_caller.h"

namespace devicetrust::policy {

// Apps, rules and decisions: the gRPC face of AppAdmin and SignOn.
class PolicyService final : public org::v1::Policy::Service {
 public:
  PolicyService(OrgStore& store, AppAdmin& apps, SignOn& sign_on, CallerLookup caller)
      : store_(store), apps_(apps), sign_on_(sign_on), caller_(std::move(caller)) {}

  grpc::Status PutApp(grpc::ServerContext* context, const org::v1::PutAppRequest* request,
                      org::v1::App* response) override;
  grpc::Status ListApps(grpc::ServerContext* context, const org::v1::ListAppsRequest* request,
                        org::v1::ListAppsResponse* response) override;
  grpc::Status SetRules(grpc::ServerContext* context, const org::v1::SetRulesRequest* request,
                        org::v1::App* response) override;
  grpc::Status SetZones(grpc::ServerContext* context, const org::v1::SetZonesRequest* request,
                        org::v1::SetZonesResponse* response) override;
  grpc::Status Evaluate(grpc::ServerContext* context, const org::v1::EvaluateRequest* request,
                        org::v1::EvaluateResponse* response) override;
  grpc::Status CompleteFactor(grpc::ServerContext* context,
                              const org::v1::CompleteFactorRequest* request,
                              org::v1::EvaluateResponse* response) override;
  grpc::Status ExplainDecision(grpc::ServerContext* context,
                               const org::v1::ExplainDecisionRequest* request,
                               org::v1::Decision* response) override;

 private:
  OrgStore& store_;
  AppAdmin& apps_;
  SignOn& sign_on_;
  const CallerLookup caller_;
};

}  // namespace devicetrust::policy
