#include "libs/base/background_loop.h"

#include <utility>

namespace devicetrust {

BackgroundLoop::BackgroundLoop(std::chrono::milliseconds pause, Step step)
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

void BackgroundLoop::Run(std::chrono::milliseconds pause) {
  while (Pause(pause)) pause = step_();
}

bool BackgroundLoop::Pause(std::chrono::milliseconds pause) {
  const MutexLock lock(mutex_);
  if (pause == kUntilWoken) {
    while (!stopping_ && !woken_) changed_.Wait(mutex_);
  } else {
    const auto end = std::chrono::steady_clock::now() + pause;
    while (!stopping_ && changed_.WaitUntil(mutex_, end)) {
    }
  }
  woken_ = false;
  return !stopping_;
}

}  // namespace devicetrust
