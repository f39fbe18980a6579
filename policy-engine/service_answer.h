// What every gRPC service of the org does with the result of a domain call: map it.
#pragma once

#include <grpcpp/server_context.h>

#include <utility>

#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"

namespace devicetrust::policy {

// `result` as the answer of a service method: its value in `response`, or its error.
template <typename Response>
grpc::Status Answer(absl::StatusOr<Response> result, Response* response) {
  if (!result.ok()) return rpc::ToGrpc(rpc::StoreError(std::move(result).status()));
  *response = *std::move(result);
  return grpc::Status::OK;
}

// The listener lets roles in by method (InternalAccess()); what changes the org insists once more.
// kPermissionDenied, CALLER_NOT_ALLOWED: the caller is no admin.
inline absl::StatusOr<rpc::Caller> RequireAdmin(absl::StatusOr<rpc::Caller> caller) {
  if (!caller.ok() || caller->kind == rpc::Caller::Kind::kAdmin) return caller;
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                        "this call changes the org and needs an admin identity", caller->name,
                        "Call with a certificate of an admin.");
}

// Answers with `call(caller, request)`, a StatusOr<Response>.
template <typename Request, typename Response, typename Call>
grpc::Status AnswerCaller(const grpc::ServerContext& context, const Request& request,
                          Response* response, Call call) {
  const absl::StatusOr<rpc::Caller> caller = rpc::CallerOf(context);
  if (!caller.ok()) return rpc::ToGrpc(caller.status());
  return Answer<Response>(call(*caller, request), response);
}

// The same for callers that are admins.
template <typename Request, typename Response, typename Call>
grpc::Status AnswerAdmin(const grpc::ServerContext& context, const Request& request,
                         Response* response, Call call) {
  const absl::StatusOr<rpc::Caller> admin = RequireAdmin(rpc::CallerOf(context));
  if (!admin.ok()) return rpc::ToGrpc(admin.status());
  return Answer<Response>(call(*admin, request), response);
}

}  // namespace devicetrust::policy
