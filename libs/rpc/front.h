// What stands before gRPC on each listener: it accepts, bounds connections (libs/net), and hands
// sockets to gRPC, whose own listener has no such bounds and is deaf once descriptors ran out
// (CVE-2023-4785). Inside libs/rpc.
//
// A listener for agents ends TLS here and passes on what FrameFilter lets through, over a socket
// pair. One for components gives the TCP socket away as it is, since gRPC needs the certificate of
// the peer: only who has one of the deployment CA gets further than TLS there, and no call pays for
// the way through another thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "libs/base/status.h"
#include "libs/rpc/handover.h"
#include "libs/rpc/server.h"

namespace devicetrust::rpc {

class Front {
 public:
  // `acceptor` of a server that was started, `newcomers`: both outlive the front. Errors of
  // Server::Start().
  static absl::StatusOr<std::unique_ptr<Front>> Start(const ListenerConfig& config,
                                                      Acceptor& acceptor, Newcomers& newcomers);
  virtual ~Front() = default;

  virtual std::string address() const = 0;  // host:port as bound.
  // Before gRPC's server is shut down: connections that come from now on are closed.
  virtual void Refuse() = 0;
  // After gRPC's server was shut down: what it has said still leaves, for at most `grace`.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace devicetrust::rpc
