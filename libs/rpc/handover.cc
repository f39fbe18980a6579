#include "libs/rpc/handover.h"

#include <unistd.h>

#include <utility>

namespace devicetrust::rpc {

bool Handover::Give(int fd) {
  const MutexLock lock(mutex_);
  if (over_) {
    close(fd);
    return false;
  }
  Acceptor::NewConnectionParameters parameters;
  parameters.fd = fd;
  acceptor_.HandleNewConnection(&parameters);
  return true;
}

void Handover::End() {
  const MutexLock lock(mutex_);
  over_ = true;
}

Newcomers::Newcomer Newcomers::Add(const std::string& peer, std::function<void()> called) {
  const auto newcomer = std::make_shared<const std::function<void()>>(std::move(called));
  const MutexLock lock(mutex_);
  peers_[peer] = newcomer;
  size_ = peers_.size();
  return newcomer;
}

void Newcomers::Called(const std::string& peer) {
  Newcomer newcomer;
  {
    const MutexLock lock(mutex_);
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    newcomer = std::move(found->second);
    peers_.erase(found);
    size_ = peers_.size();
  }
  (*newcomer)();
}

void Newcomers::Remove(const std::string& peer, const Newcomer& newcomer) {
  const MutexLock lock(mutex_);
  const auto found = peers_.find(peer);
  if (found == peers_.end() || found->second != newcomer) return;
  peers_.erase(found);
  size_ = peers_.size();
}

}  // namespace devicetrust::rpc
