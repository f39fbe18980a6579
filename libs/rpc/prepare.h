// gRPC's process-wide settings. Private to libs/rpc.
#pragma once

namespace devicetrust::rpc {

// Before the first server or channel of the process; later calls do nothing.
void PrepareGrpc();

}  // namespace devicetrust::rpc
