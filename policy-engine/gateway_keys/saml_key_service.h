#pragma once

#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "policy-engine/gateway_keys/saml_keys.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

// The keys that SAML answers are signed with, over gRPC: translates for SamlKeys.
class SamlKeyService final : public org::v1::SamlKeyService::Service {
 public:
  explicit SamlKeyService(SamlKeys& keys) : keys_(keys) {}

  grpc::Status ListSamlKeys(grpc::ServerContext* /*context*/,
                            const org::v1::ListSamlKeysRequest* /*request*/,
                            org::v1::ListSamlKeysResponse* response) override {
    return Answer(keys_.List(), response);
  }
  grpc::Status RotateSamlKey(grpc::ServerContext* context,
                             const org::v1::RotateSamlKeyRequest* request,
                             org::v1::RotateSamlKeyResponse* response) override {
    return AnswerAdmin(*context, *request, response,
                       [this](const auto&... call) { return keys_.Rotate(call...); });
  }
  grpc::Status ActivateSamlKey(grpc::ServerContext* context,
                               const org::v1::ActivateSamlKeyRequest* request,
                               org::v1::ActivateSamlKeyResponse* response) override {
    return AnswerAdmin(*context, *request, response,
                       [this](const auto&... call) { return keys_.Activate(call...); });
  }
  grpc::Status RetireSamlKey(grpc::ServerContext* context,
                             const org::v1::RetireSamlKeyRequest* request,
                             org::v1::RetireSamlKeyResponse* response) override {
    return AnswerAdmin(*context, *request, response,
                       [this](const auto&... call) { return keys_.Retire(call...); });
  }

 private:
  SamlKeys& keys_;
};

}  // namespace devicetrust::policy
