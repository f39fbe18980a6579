#pragma once

#include <memory>

#include "libs/net/server.h"
#include "libs/rpc/handover.h"

namespace devicetrust::rpc {

// One component or administrator, or somebody who will fail to prove to be one: gRPC has the
// socket, and this sees to its place among the others. `handover` and `newcomers` outlive it.
// Inside libs/rpc.
std::unique_ptr<net::Session> NewInternalSession(net::Connection connection, Handover& handover,
                                                 Newcomers& newcomers);

}  // namespace devicetrust::rpc
