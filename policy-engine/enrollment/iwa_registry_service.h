#pragma once

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "policy-engine/enrollment/iwa_registry.h"

namespace devicetrust::policy {

// The IWA servers of the org over gRPC: translates for IwaRegistry.
class IwaRegistryService final : public org::v1::IwaRegistryService::Service {
 public:
  explicit IwaRegistryService(IwaRegistry& iwas) : iwas_(iwas) {}

  grpc::Status RegisterIwa(grpc::ServerContext* context, const org::v1::RegisterIwaRequest* request,
                           org::v1::RegisterIwaResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext* context, const org::v1::HeartbeatRequest* request,
                         org::v1::HeartbeatResponse* response) override;
  grpc::Status ListIwas(grpc::ServerContext* context, const org::v1::ListIwasRequest* request,
                        org::v1::ListIwasResponse* response) override;
  grpc::Status SetIwaEnabled(grpc::ServerContext* context,
                             const org::v1::SetIwaEnabledRequest* request,
                             org::v1::SetIwaEnabledResponse* response) override;
  grpc::Status SetIwaDomains(grpc::ServerContext* context,
                             const org::v1::SetIwaDomainsRequest* request,
                             org::v1::SetIwaDomainsResponse* response) override;

 private:
  IwaRegistry& iwas_;
};

}  // namespace devicetrust::policy
