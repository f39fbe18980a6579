// What passes between the front of a listener and gRPC's server behind it. Inside libs/rpc.
#pragma once

#include <grpcpp/server_builder.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "libs/base/mutex.h"

namespace devicetrust::rpc {

using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

// Gives sockets to gRPC as long as it takes them: an acceptor whose server was shut down would
// lose them without closing them. Thread-safe.
class Handover {
 public:
  // `acceptor`: outlives it.
  explicit Handover(Acceptor& acceptor) : acceptor_(acceptor) {}

  // Takes `fd` over in any case. False: it is closed.
  bool Give(int fd);
  // From now on it gives none.
  void End();

 private:
  Mutex mutex_;
  Acceptor& acceptor_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

// Connections of a listener for components that have had no call yet, by gRPC's name for their
// peer. Thread-safe.
class Newcomers {
 public:
  using Newcomer = std::shared_ptr<const std::function<void()>>;

  // `called` runs once the connection has had a call, on the thread of that.
  Newcomer Add(const std::string& peer, std::function<void()> called);
  // A connection of that peer had a call.
  void Called(const std::string& peer);
  // It has ended. The next one of the same peer may have begun before.
  void Remove(const std::string& peer, const Newcomer& newcomer);
  // Costs a call nothing while there are none.
  bool any() const { return size_ != 0; }

 private:
  Mutex mutex_;
  std::map<std::string, Newcomer> peers_ ABSL_GUARDED_BY(mutex_);
  std::atomic<std::size_t> size_{0};
};

}  // namespace devicetrust::rpc
