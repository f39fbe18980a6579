#include "libs/base/background_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <semaphore>

namespace devicetrust {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(BackgroundLoopTest, PausesAsLongAsTheStepSays) {
  std::latch third(3);
  std::atomic<int> steps{0};
  BackgroundLoop loop(milliseconds(0), [&]() -> milliseconds {
    third.count_down();
    return ++steps < 3 ? milliseconds(1) : milliseconds(hours(1));
  });
  third.wait();
  loop.Stop();
  EXPECT_EQ(steps, 3);
}

// A wake-up that comes while a step is under way counts for the pause after it.
TEST(BackgroundLoopTest, LosesNoWakeUp) {
  std::counting_semaphore<> begun(0);
  std::counting_semaphore<> go_on(0);
  BackgroundLoop loop(milliseconds(0), [&] {
    begun.release();
    go_on.acquire();
    return BackgroundLoop::kUntilWoken;
  });
  begun.acquire();
  loop.Wake();
  go_on.release();
  begun.acquire();  // The second step.
  go_on.release();
  loop.Wake();
  begun.acquire();
  go_on.release();
}

TEST(BackgroundLoopTest, EndsAPauseOfAtMostALengthWhenItIsWoken) {
  std::counting_semaphore<> begun(0);
  BackgroundLoop loop(BackgroundLoop::AtMost(hours(1)), [&] {
    begun.release();
    return BackgroundLoop::AtMost(hours(1));
  });
  loop.Wake();
  begun.acquire();
  loop.Wake();
  begun.acquire();
}

TEST(BackgroundLoopTest, FinishesTheStepUnderWayAndStartsNoOther) {
  std::latch begun(1);
  std::latch go_on(1);
  std::atomic<int> steps{0};
  BackgroundLoop* running = nullptr;
  BackgroundLoop loop(milliseconds(0), [&] {
    begun.count_down();
    go_on.wait();
    ++steps;
    EXPECT_TRUE(running->stopping());
    return milliseconds(0);
  });
  running = &loop;
  begun.wait();
  std::thread stopper([&] { loop.Stop(); });
  while (!loop.stopping()) std::this_thread::yield();
  go_on.count_down();
  stopper.join();
  EXPECT_EQ(steps, 1);
  loop.Stop();
}

TEST(BackgroundLoopTest, EndsAPauseWhenItIsStopped) {
  const BackgroundLoop waits_long(hours(1), [] { return milliseconds(0); });
  const BackgroundLoop waits_for_ever(BackgroundLoop::kUntilWoken, [] { return milliseconds(0); });
}

}  // namespace
}  // namespace devicetrust
