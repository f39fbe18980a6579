#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "devicetrust/org/v1/sign_in.pb.h"
#include "libs/base/clock.h"
#include "policy-engine/sessions/session_changes.h"

namespace devicetrust::policy {

// SignIn.WatchSessions: what is there, then live, with a heartbeat each second, until the
// caller leaves or the server drains.
grpc::Status StreamSessionChanges(SessionChanges& changes, const Clock& clock,
                                  grpc::ServerContext& context,
                                  const org::v1::WatchSessionsRequest& request,
                                  grpc::ServerWriter<org::v1::WatchSessionsResponse>& writer);

}  // namespace devicetrust::policy
