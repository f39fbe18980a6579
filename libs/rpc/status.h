// absl and gRPC share one code space, so codes cross unchanged, and the detail of error.h
// travels as google.rpc.Status in `grpc-status-details-bin`.
#pragma once

#include <grpcpp/support/status.h>

#include "libs/base/status.h"

namespace google::rpc {
class Status;
}

namespace devicetrust::rpc {

// For the answer of a service method. Every error leaves with a detail (see ReasonOf).
// kInternal and kUnknown are logged here and leave as "internal error" without their text.
grpc::Status ToGrpc(const absl::Status& status);

// For the client: message and detail are kept.
absl::Status FromGrpc(const grpc::Status& status);

// The same two for an answer that holds results of its own for several items.
google::rpc::Status ToMessage(const absl::Status& status);
absl::Status FromMessage(const google::rpc::Status& message);

}  // namespace devicetrust::rpc
