#include "libs/base/background_loop.h"

#include <utility>

namespace devicetrust {

BackgroundLoop::BackgroundLoop(Pause pause, Step step)
    : step_(std::move(step)), thread_([this, pause] { Run(pause); }) {}

BackgroundLoop::~BackgroundLoop() { Stop(); }

void BackgroundLoop::Wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void BackgroundLoop::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool BackgroundLoop::stopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

void BackgroundLoop::Run(Pause pause) {
  while (Wait(pause)) pause = step_();
}

bool BackgroundLoop::Wait(Pause pause) {
  const MutexLock lock(mutex_);
  if (pause.length == kUntilWoken) {
    while (!stopping_ && !woken_) changed_.Wait(mutex_);
  } else {
    const auto end = std::chrono::steady_clock::now() + pause.length;
    while (!stopping_ && !(pause.ends_when_woken && woken_) && changed_.WaitUntil(mutex_, end)) {
    }
  }
  woken_ = false;
  return !stopping_;
}

}  // namespace devicetrust
