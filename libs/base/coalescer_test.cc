#include "libs/base/coalescer.h"

#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>

namespace devicetrust {
namespace {

using std::chrono::steady_clock;
using Ints = Coalescer<int, std::string>;

// A service that takes its time: a batch ends when the test says so.
class CoalescerTest : public ::testing::Test {
 protected:
  std::vector<Ints::Result> Run(const std::vector<int>& requests, Ints::Deadline deadline) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = batches_.empty();
      batches_.push_back(requests);
      deadlines_.push_back(deadline);
      threads_.push_back(std::this_thread::get_id());
    }
    if (first && hold_) {
      begun_.count_down();
      held_.wait();
    }
    std::vector<Ints::Result> results;
    for (const int request : requests) {
      if (request < 0) {
        results.emplace_back(absl::NotFoundError("negative"));
      } else {
        results.emplace_back(std::to_string(request));
      }
    }
    return results;
  }
  Ints Make(CoalescerLimits limits = {}) {
    return Ints(limits, [this](const std::vector<int>& requests, Ints::Deadline deadline) {
      return Run(requests, deadline);
    });
  }
  // Begins a batch of request 0, which ends with Release().
  void Hold(Ints& ints) {
    hold_ = true;
    callers_.emplace_back([&ints] { EXPECT_EQ(ints.Call(0, Soon()).value(), "0"); });
    begun_.wait();
  }
  // Calls on a thread of its own; returns once that waits.
  void Wait(Ints& ints, int request, Ints::Deadline deadline = Soon()) {
    const std::size_t before = ints.waiting();
    callers_.emplace_back([this, &ints, request, deadline] {
      auto result = ints.Call(request, deadline);
      const std::lock_guard lock(mutex_);
      results_.emplace_back(request, std::move(result));
    });
    while (ints.waiting() == before) std::this_thread::yield();
  }
  void Release() {
    held_.count_down();
    for (std::thread& caller : callers_) caller.join();
    callers_.clear();
  }
  static Ints::Deadline Soon() { return steady_clock::now() + std::chrono::minutes(1); }

  std::mutex mutex_;
  std::vector<std::vector<int>> batches_;
  std::vector<Ints::Deadline> deadlines_;
  std::vector<std::thread::id> threads_;
  std::vector<std::pair<int, Ints::Result>> results_;
  bool hold_ = false;
  std::latch begun_{1};
  std::latch held_{1};
  std::vector<std::thread> callers_;
};

TEST_F(CoalescerTest, ALoneCallGoesAtOnceOnItsOwnThread) {
  Ints ints = Make();
  const auto deadline = Soon();
  EXPECT_EQ(ints.Call(7, deadline).value(), "7");
  EXPECT_EQ(ints.Call(8, deadline).value(), "8");
  EXPECT_EQ(batches_, (std::vector<std::vector<int>>{{7}, {8}}));
  EXPECT_EQ(deadlines_[0], deadline);
  EXPECT_EQ(threads_[0], std::this_thread::get_id());
}

TEST_F(CoalescerTest, WhatComesMeanwhileGoesTogetherInOrderEachWithItsOwnResult) {
  Ints ints = Make();
  Hold(ints);
  for (const int request : {1, -2, 3}) Wait(ints, request);
  Release();
  EXPECT_EQ(batches_, (std::vector<std::vector<int>>{{0}, {1, -2, 3}}));
  ASSERT_EQ(results_.size(), 3u);
  for (const auto& [request, result] : results_) {
    if (request < 0) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
    } else {
      EXPECT_EQ(result.value(), std::to_string(request));
    }
  }
  EXPECT_EQ(ints.Call(4, Soon()).value(), "4");
}

TEST_F(CoalescerTest, ABatchIsBounded) {
  Ints ints = Make({.batch_max = 2});
  Hold(ints);
  for (int request = 1; request <= 5; ++request) Wait(ints, request);
  Release();
  EXPECT_EQ(batches_, (std::vector<std::vector<int>>{{0}, {1, 2}, {3, 4}, {5}}));
  EXPECT_EQ(results_.size(), 5u);
}

TEST_F(CoalescerTest, RefusesWhenTooManyWait) {
  Ints ints = Make({.waiting_max = 1});
  Hold(ints);
  Wait(ints, 1);
  EXPECT_EQ(ints.Call(2, Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  Release();
  EXPECT_EQ(batches_, (std::vector<std::vector<int>>{{0}, {1}}));
}

TEST_F(CoalescerTest, NobodyWaitsBeyondItsDeadline) {
  Ints ints = Make();
  Hold(ints);
  Wait(ints, 1);
  EXPECT_EQ(ints.Call(2, steady_clock::now()).status().code(), absl::StatusCode::kDeadlineExceeded);
  Release();
  EXPECT_EQ(batches_, (std::vector<std::vector<int>>{{0}, {1}}));
}

// The one with the most time runs the batch, so that none of the others is cut short.
TEST_F(CoalescerTest, ABatchHasTheTimeOfTheCallerWithTheMost) {
  Ints ints = Make();
  Hold(ints);
  const auto late = Soon() + std::chrono::minutes(5);
  Wait(ints, 1);
  Wait(ints, 2, late);
  Wait(ints, 3);
  Release();
  ASSERT_EQ(batches_.size(), 2u);
  EXPECT_EQ(deadlines_[1], late);
}

TEST_F(CoalescerTest, ManyCallersAllGetTheirOwn) {
  Ints ints = Make({.batch_max = 5});
  for (int thread = 0; thread < 8; ++thread) {
    callers_.emplace_back([&ints, thread] {
      for (int i = 0; i < 200; ++i) {
        const int request = thread * 1000 + i;
        EXPECT_EQ(ints.Call(request, Soon()).value(), std::to_string(request));
      }
    });
  }
  Release();
  std::size_t calls = 0;
  for (const auto& batch : batches_) calls += batch.size();
  EXPECT_EQ(calls, 1600u);
}

}  // namespace
}  // namespace devicetrust
