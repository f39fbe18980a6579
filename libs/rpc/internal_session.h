#pragma once

#include <chrono>
#include <memory>

#include "libs/net/server.h"
#include "libs/rpc/handover.h"

namespace devicetrust::rpc {

// One component or administrator, or somebody who will fail to prove to be one: gRPC has the
// socket once the peer has begun with TLS, within `handshake`, and this sees to its place among the
// others. `handover` and `newcomers` outlive it.
// Inside libs/rpc.
std::unique_ptr<net::Session> NewInternalSession(net::Connection connection,
                                                 std::chrono::milliseconds handshake,
                                                 Handover& handover, Newcomers& newcomers);

}  // namespace devicetrust::rpc
