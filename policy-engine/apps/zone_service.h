#pragma once

#include "devicetrust/org/v1/zones.grpc.pb.h"
#include "policy-engine/apps/zone_admin.h"

namespace devicetrust::policy {

// Network zones over gRPC: translates for ZoneAdmin.
class ZoneService final : public org::v1::ZoneService::Service {
 public:
  explicit ZoneService(ZoneAdmin& zones) : zones_(zones) {}

  grpc::Status GetZones(grpc::ServerContext* context, const org::v1::GetZonesRequest* request,
                        org::v1::GetZonesResponse* response) override;
  grpc::Status SetZones(grpc::ServerContext* context, const org::v1::SetZonesRequest* request,
                        org::v1::SetZonesResponse* response) override;

 private:
  ZoneAdmin& zones_;
};

}  // namespace devicetrust::policy
