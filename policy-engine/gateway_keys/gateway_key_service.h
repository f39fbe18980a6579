#pragma once

#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "policy-engine/gateway_keys/gateway_keys.h"
#include "policy-engine/gateway_keys/saml_keys.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

// The keys of all gateways over gRPC: translates for GatewayKeys.
class GatewayKeyService final : public org::v1::GatewayKeyService::Service {
 public:
  GatewayKeyService(GatewayKeys& keys, const SamlKeys& saml) : keys_(keys), saml_(saml) {}

  grpc::Status GetGatewayKeys(grpc::ServerContext* /*context*/,
                              const org::v1::GetGatewayKeysRequest* /*request*/,
                              org::v1::GetGatewayKeysResponse* response) override {
    absl::StatusOr<org::v1::GetGatewayKeysResponse> keys = keys_.Current();
    if (keys.ok()) saml_.AddTo(*keys);
    return Answer(std::move(keys), response);
  }

 private:
  GatewayKeys& keys_;
  const SamlKeys& saml_;
};

}  // namespace devicetrust::policy
