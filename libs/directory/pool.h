// A bounded set of connections, lent one at a time. Inside this library only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/directory/connection.h"

namespace devicetrust::directory {

// Thread-safe; outlives its leases.
class Pool {
 public:
  using Opener = std::function<absl::StatusOr<std::unique_ptr<Connection>>(SteadyTime deadline)>;

  Pool(std::size_t connections_max, Opener open)
      : connections_max_(connections_max), open_(std::move(open)) {}

  // Gives the connection back on destruction, or drops it when it became unusable.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection, bool fresh)
        : pool_(&pool), connection_(std::move(connection)), fresh_(fresh) {}
    ~Lease() {
      if (pool_ != nullptr) pool_->Return(std::move(connection_));
    }
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          connection_(std::move(other.connection_)),
          fresh_(other.fresh_) {}
    Lease& operator=(Lease&&) = delete;

    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }
    bool fresh() const { return fresh_; }  // Opened for this lease: the server is there.

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
    bool fresh_;
  };

  // An idle connection, else a new one, else waits for one until `deadline`. With
  // `fresh` never an idle one (all those are dropped: what broke one broke them all).
  // kUnavailable: all busy until the deadline, or the opener's error.
  absl::StatusOr<Lease> Borrow(SteadyTime deadline, bool fresh);

 private:
  void Return(std::unique_ptr<Connection> connection);

  const std::size_t connections_max_;
  const Opener open_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
  std::size_t lent_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace devicetrust::directory
