#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "libs/base/mutex.h"

namespace devicetrust {

// Runs a step again and again on a thread of its own, until it is stopped. Thread-safe, but for
// Stop() in the step itself.
class BackgroundLoop {
 public:
  // Returned by a step that has nothing more to do until Wake().
  static constexpr std::chrono::milliseconds kUntilWoken = std::chrono::milliseconds::max();

  // Returns how long to pause before the next step.
  using Step = std::function<std::chrono::milliseconds()>;

  // The first step runs after `pause`.
  BackgroundLoop(std::chrono::milliseconds pause, Step step);
  ~BackgroundLoop();  // Stop().
  BackgroundLoop(const BackgroundLoop&) = delete;
  BackgroundLoop& operator=(const BackgroundLoop&) = delete;

  // Ends a pause of kUntilWoken, the present one or the next. A pause of a length runs to its
  // end: somebody who does not answer is not asked more often because there is more to say.
  void Wake();

  // No step begins after this; waits for the one under way. Idempotent.
  void Stop();

  // True once Stop() was called: a long step may look and end early.
  bool stopping() const;

 private:
  void Run(std::chrono::milliseconds pause);
  // False once stopping.
  bool Pause(std::chrono::milliseconds pause);

  const Step step_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last: it uses all the others.
};

}  // namespace devicetrust
