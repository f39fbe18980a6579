#pragma once

#include "ca-service/revocations.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/clock.h"

namespace devicetrust::ca {

// v1.RevocationFeedService: its streams end when Revocations::committed() stops.
class RevocationFeedService final : public v1::RevocationFeedService::Service {
 public:
  // Both must outlive it.
  RevocationFeedService(Revocations& revocations, const Clock& clock)
      : revocations_(revocations), clock_(clock) {}

  grpc::Status WatchRevocations(grpc::ServerContext* context,
                                const v1::WatchRevocationsRequest* request,
                                grpc::ServerWriter<v1::WatchRevocationsResponse>* writer) override;

 private:
  Revocations& revocations_;
  const Clock& clock_;
};

}  // namespace devicetrust::ca
