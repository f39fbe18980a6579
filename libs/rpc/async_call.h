// gRPC calls from Asio coroutines. Link dt_asio.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "libs/base/task.h"
#include "libs/rpc/channel.h"

namespace devicetrust::rpc {

// One unary call through the callback stub. The coroutine goes on where it ran, on its own
// io_context; no thread waits meanwhile:
//
//   auto answer = co_await AsyncCall(*stub.async(), &Stub::async::Enroll, request);
//
// where `stub` is the generated Stub and `async` its nested class. Errors as in Call().
template <typename Async, typename Request, typename Response>
Task<absl::StatusOr<Response>> AsyncCall(Async& async,
                                         void (Async::*method)(grpc::ClientContext*, const Request*,
                                                               Response*,
                                                               std::function<void(grpc::Status)>),
                                         Request request,
                                         std::chrono::milliseconds timeout = kCallTimeout) {
  struct State {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  // Shared with gRPC's thread, which may finish after a coroutine that was destroyed.
  auto state = std::make_shared<State>();
  state->request = std::move(request);
  PrepareCall(state->context, timeout);

  const auto start = [&async, method, state](std::function<void(grpc::Status)> done) {
    (async.*method)(
        &state->context, &state->request, &state->response,
        // It owns the state until gRPC is through with it.
        [state, done = std::move(done)](grpc::Status status) { done(std::move(status)); });
  };
  const grpc::Status status = co_await AwaitCallback<grpc::Status>(start);
  if (!status.ok()) co_return FromGrpc(status);
  co_return std::move(state->response);
}

}  // namespace devicetrust::rpc
