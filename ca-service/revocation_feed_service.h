#pragma once

#include "ca-service/revocations.h"
#include "ca-service/revoked_set.h"
#include "devicetrust/ca/v1/ca.grpc.pb.h"
#include "libs/base/clock.h"

namespace devicetrust::ca {

// v1.RevocationFeedService: its streams end when Revocations::committed() stops.
class RevocationFeedService final : public v1::RevocationFeedService::Service {
 public:
  // All must outlive it.
  RevocationFeedService(Revocations& revocations, RevokedSet& everything, const Clock& clock)
      : revocations_(revocations), everything_(everything), clock_(clock) {}

  grpc::Status WatchRevocations(grpc::ServerContext* context,
                                const v1::WatchRevocationsRequest* request,
                                grpc::ServerWriter<v1::WatchRevocationsResponse>* writer) override;

 private:
  class Forgetting;

  // All that is revoked, in parts; `sequence` becomes that of the last change in it.
  grpc::Status SendEverything(grpc::ServerWriter<v1::WatchRevocationsResponse>& writer,
                              std::int64_t& sequence);

  Revocations& revocations_;
  RevokedSet& everything_;
  const Clock& clock_;
};

}  // namespace devicetrust::ca
