#include "libs/directory/watchdog.h"

#include <sys/socket.h>

#include <algorithm>

#include "libs/base/check.h"

namespace devicetrust::directory {

Watchdog::Watchdog() : thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const MutexLock lock(mutex_);
    DT_CHECK(watched_.empty());
    stopping_ = true;
  }
  changed_.NotifyOne();
  thread_.join();
}

void Watchdog::Run() {
  const MutexLock lock(mutex_);
  while (!stopping_) {
    next_look_ = Expire(std::chrono::steady_clock::now());
    // wait_until(max) overflows in libstdc++, so an idle watchdog waits without a time.
    if (next_look_ == SteadyTime::max()) {
      changed_.Wait(mutex_);
    } else {
      changed_.WaitUntil(mutex_, next_look_);
    }
  }
}

SteadyTime Watchdog::Expire(SteadyTime now) {
  SteadyTime next = SteadyTime::max();
  for (auto& [id, watched] : watched_) {
    if (watched.expired) continue;
    if (watched.deadline > now) {
      next = std::min(next, watched.deadline);
      continue;
    }
    watched.expired = true;
    if (watched.fd >= 0) shutdown(watched.fd, SHUT_RDWR);
  }
  return next;
}

Watchdog::Guard::Guard(Watchdog& watchdog, SteadyTime deadline, int fd) : watchdog_(watchdog) {
  bool sooner = false;
  {
    const MutexLock lock(watchdog_.mutex_);
    id_ = ++watchdog_.next_id_;
    watchdog_.watched_.emplace(id_, Watched{deadline, fd});
    // Deadlines usually grow, so the thread is rarely woken: it looks when the oldest
    // one is due and then learns of the others.
    sooner = deadline < watchdog_.next_look_;
  }
  if (sooner) watchdog_.changed_.NotifyOne();
}

Watchdog::Guard::~Guard() {
  const MutexLock lock(watchdog_.mutex_);
  watchdog_.watched_.erase(id_);
}

void Watchdog::Guard::Watch(int fd) {
  const MutexLock lock(watchdog_.mutex_);
  Watched& watched = watchdog_.watched_.at(id_);
  watched.fd = fd;
  if (watched.expired) shutdown(fd, SHUT_RDWR);
}

}  // namespace devicetrust::directory
