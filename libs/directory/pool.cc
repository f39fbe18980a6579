#include "libs/directory/pool.h"

#include <fmt/format.h>

namespace devicetrust::directory {

absl::StatusOr<Pool::Lease> Pool::Borrow(SteadyTime deadline, bool fresh) {
  std::vector<std::unique_ptr<Connection>> dropped;  // Closed after the lock: closing writes.
  {
    const MutexLock lock(mutex_);
    if (fresh) dropped.swap(idle_);
    while (lent_ >= connections_max_ && returned_.WaitUntil(mutex_, deadline)) {
    }
    if (lent_ >= connections_max_) {
      return absl::UnavailableError(
          fmt::format("all {} connections to the directory are busy", connections_max_));
    }
    ++lent_;
    if (!fresh && !idle_.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle_.back());
      idle_.pop_back();
      return Lease(*this, std::move(connection), false);
    }
  }
  absl::StatusOr<std::unique_ptr<Connection>> opened = open_(deadline);
  if (!opened.ok()) {
    Return(nullptr);
    return opened.status();
  }
  return Lease(*this, *std::move(opened), true);
}

void Pool::Return(std::unique_ptr<Connection> connection) {
  {
    const MutexLock lock(mutex_);
    --lent_;
    // Idle and lent together may pass the bound for a moment (a fresh one was asked
    // for while another thread gave one back): the surplus is closed here.
    if (connection != nullptr && connection->usable() && idle_.size() + lent_ < connections_max_) {
      idle_.push_back(std::move(connection));
    }
  }
  returned_.NotifyOne();
}

}  // namespace devicetrust::directory
