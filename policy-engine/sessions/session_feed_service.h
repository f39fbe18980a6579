#pragma once

#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/base/clock.h"
#include "policy-engine/sessions/session_changes.h"

namespace devicetrust::policy {

// Changes of sessions over gRPC: what SessionChanges holds, then live, with a heartbeat each
// second, until the caller leaves or the server drains.
class SessionFeedService final : public org::v1::SessionFeedService::Service {
 public:
  SessionFeedService(SessionChanges& changes, const Clock& clock)
      : changes_(changes), clock_(clock) {}

  grpc::Status WatchSessions(grpc::ServerContext* context,
                             const org::v1::WatchSessionsRequest* request,
                             grpc::ServerWriter<org::v1::WatchSessionsResponse>* writer) override;

 private:
  SessionChanges& changes_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
