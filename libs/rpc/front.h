// What stands before gRPC on each listener: it accepts, bounds connections (libs/net), and hands
// sockets to gRPC, whose own listener has no such bounds and is deaf once descriptors ran out
// (CVE-2023-4785). Inside libs/rpc.
//
// A listener for agents ends TLS here and passes on what FrameFilter lets through, over a socket
// pair. One for components gives the TCP socket away as it is, since gRPC needs the certificate of
// the peer: only who has one of the deployment CA gets further than TLS there, and no call pays for
// the way through another thread.
#pragma once

#include <grpcpp/server_builder.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/rpc/server.h"

namespace devicetrust::rpc {

// Connections of a listener for components that have had no call yet, by gRPC's name for their
// peer. Thread-safe.
class Newcomers {
 public:
  void Add(const std::string& peer);
  void Remove(const std::string& peer);
  bool Has(const std::string& peer) const;
  // Costs a call nothing while there are none.
  bool any() const { return size_ != 0; }

 private:
  mutable Mutex mutex_;
  std::set<std::string> peers_ ABSL_GUARDED_BY(mutex_);
  std::atomic<std::size_t> size_{0};
};

class Front {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

  // `acceptor` of a server that was started, `newcomers`: both outlive the front. Errors of
  // Server::Start().
  static absl::StatusOr<std::unique_ptr<Front>> Start(const ListenerConfig& config,
                                                      Acceptor& acceptor, Newcomers& newcomers);
  virtual ~Front() = default;

  virtual std::string address() const = 0;  // host:port as bound.
  // After gRPC's server was shut down: what it has said still leaves, for at most `grace`.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace devicetrust::rpc
