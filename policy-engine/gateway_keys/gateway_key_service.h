#pragma once

#include "devicetrust/org/v1/gateway_keys.grpc.pb.h"
#include "policy-engine/gateway_keys/gateway_keys.h"
#include "policy-engine/service_answer.h"

namespace devicetrust::policy {

// The keys of all gateways over gRPC: translates for GatewayKeys.
class GatewayKeyService final : public org::v1::GatewayKeyService::Service {
 public:
  explicit GatewayKeyService(GatewayKeys& keys) : keys_(keys) {}

  grpc::Status GetGatewayKeys(grpc::ServerContext* /*context*/,
                              const org::v1::GetGatewayKeysRequest* /*request*/,
                              org::v1::GetGatewayKeysResponse* response) override {
    return Answer(keys_.Current(), response);
  }

 private:
  GatewayKeys& keys_;
};

}  // namespace devicetrust::policy
