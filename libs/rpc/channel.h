// Calling a listener of rpc::Server.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "libs/base/status.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/status.h"

namespace devicetrust::rpc {

struct ChannelConfig {
  std::string address;               // host:port
  std::string server_name;           // Checked against the server's certificate; empty: the host.
  std::string trust_pem;             // CA certificates of the server.
  std::optional<Identity> identity;  // For internal listeners.
  // Where these come from, PEM: each connection that is made shows and trusts what the files hold
  // by then, so a certificate that is replaced in time makes no gap. Files that cannot be read
  // leave those before in use. Empty: what is above, for good.
  struct Files {
    std::string certificate;
    std::string key;
    std::string trust;
  };
  std::optional<Files> files = {};
  // "http://[USER:PASSWORD@]HOST:PORT", reached by CONNECT (RFC 9110, section 9.3.6); empty: none.
  // What the environment says of proxies is not looked at.
  std::string http_proxy = {};
};

// Connects when first used and again after each failure, at least once in two seconds.
// Create one per server and share it: thread-safe.
std::shared_ptr<grpc::Channel> NewChannel(const ChannelConfig& config);

inline constexpr std::chrono::milliseconds kCallTimeout{2000};

// Gives a call its deadline, which is monotonic: a moved wall clock neither ends a call nor
// prolongs it; and the trace id that this thread works under (libs/base/trace.h).
void PrepareCall(grpc::ClientContext& context, std::chrono::milliseconds timeout = kCallTimeout);

// One unary call, blocking: rpc::Call(*stub, &Stub::Enroll, request). Errors keep their
// detail; an unreachable server is kUnavailable or, after `timeout`, kDeadlineExceeded.
template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(
    Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
    const Request& request, std::chrono::milliseconds timeout = kCallTimeout) {
  grpc::ClientContext context;
  PrepareCall(context, timeout);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return FromGrpc(status);
  return response;
}

}  // namespace devicetrust::rpc
