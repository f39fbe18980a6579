// Who calls a service method. The listener has already decided that the caller's role may
// (rpc::MethodAccess); what is left is to know the name, and to insist where a change is made.
#pragma once

#include <grpcpp/server_context.h>

#include <functional>

#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {

// rpc::CallerOf in production; tests call methods without a connection.
using CallerLookup = std::function<absl::StatusOr<rpc::Caller>(const grpc::ServerContext*)>;

inline CallerLookup PeerCaller() {
  return [](const grpc::ServerContext* context) { return rpc::CallerOf(*context); };
}

// kPermissionDenied, CALLER_NOT_ALLOWED: not an admin.
inline absl::StatusOr<rpc::Caller> RequireAdmin(const CallerLookup& lookup,
                                                const grpc::ServerContext* context) {
  absl::StatusOr<rpc::Caller> caller = lookup(context);
  if (!caller.ok() || caller->kind == rpc::Caller::Kind::kAdmin) return caller;
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                        "this call changes the org and needs an admin identity", caller->name,
                        "Call with a certificate of an admin.");
}

}  // namespace devicetrust::policy
