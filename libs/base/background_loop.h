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

  // Of a length: it runs to its end, whoever wakes the loop. Somebody who does not answer is not
  // asked more often because there is more to say.
  struct Pause {
    template <typename Rep, typename Period>
    // NOLINTNEXTLINE(google-explicit-constructor): a step returns a length.
    constexpr Pause(std::chrono::duration<Rep, Period> length_in)
        : length(length_in), ends_when_woken(length == kUntilWoken) {}

    std::chrono::milliseconds length;
    bool ends_when_woken;
  };
  // A pause that Wake() ends early.
  static constexpr Pause AtMost(std::chrono::milliseconds length) {
    Pause pause(length);
    pause.ends_when_woken = true;
    return pause;
  }

  // Returns how long to pause before the next step.
  using Step = std::function<Pause()>;

  // The first step runs after `pause`.
  BackgroundLoop(Pause pause, Step step);
  ~BackgroundLoop();  // Stop().
  BackgroundLoop(const BackgroundLoop&) = delete;
  BackgroundLoop& operator=(const BackgroundLoop&) = delete;

  // Ends a pause of kUntilWoken or AtMost(), the present one or the next.
  void Wake();

  // No step begins after this; waits for the one under way. Idempotent.
  void Stop();

  // True once Stop() was called: a long step may look and end early.
  bool stopping() const;

 private:
  void Run(Pause pause);
  // False once stopping.
  bool Wait(Pause pause);

  const Step step_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last: it uses all the others.
};

}  // namespace devicetrust
