// Joins calls that many threads make at once into batches, for whatever costs much per round
// trip and little per item.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"

namespace devicetrust {

struct CoalescerLimits {
  std::size_t batch_max = 64;      // Calls in one batch.
  std::size_t waiting_max = 1024;  // Calls that wait for a batch to end.
};

// One batch is under way at a time. A call that finds none goes at once; those that come
// meanwhile go together in the next one, in the order of their arrival. It has no thread: a
// batch runs on the thread of one of its callers, the one with the most time left.
//
// Thread-safe. Calls block; they must all have returned before it is destroyed.
template <typename Request, typename Response>
class Coalescer {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  using Result = absl::StatusOr<Response>;
  // Answers `requests` in their order, one result for each, by `deadline`: nobody waits for
  // what comes later.
  using Run = std::function<std::vector<Result>(std::vector<Request> requests, Deadline deadline)>;

  Coalescer(CoalescerLimits limits, Run run) : limits_(limits), run_(std::move(run)) {}
  Coalescer(const Coalescer&) = delete;
  Coalescer& operator=(const Coalescer&) = delete;

  // The result that the batch has for `request`, or
  //   kDeadlineExceeded   there was none by `deadline`; the batch may still have it done;
  //   kResourceExhausted  too many wait already.
  Result Call(Request request, Deadline deadline) {
    const auto self = std::make_shared<Waiter>(std::move(request), deadline);
    {
      const MutexLock lock(mutex_);
      if (running_) {
        if (waiting_.size() >= limits_.waiting_max) {
          return absl::ResourceExhaustedError("too many calls wait for an answer");
        }
        waiting_.push_back(self);
        while (!self->result && !self->leads && self->wake.WaitUntil(mutex_, deadline)) {
        }
        if (self->result) return *std::move(self->result);
        if (!self->leads) {
          std::erase(waiting_, self);  // Not there when its batch is under way.
          return TooLate();
        }
      } else {
        running_ = true;
        waiting_.push_back(self);
      }
    }
    return Lead(self);
  }

  // Calls that wait for the batch under way to end.
  std::size_t waiting() const {
    const MutexLock lock(mutex_);
    return waiting_.size();
  }

 private:
  struct Waiter {
    Waiter(Request request_in, Deadline deadline_in)
        : request(std::move(request_in)), deadline(deadline_in) {}

    Request request;
    const Deadline deadline;
    // Guarded by the mutex of all, as the next one.
    std::optional<Result> result;
    bool leads = false;  // It is this one's turn to run a batch.
    CondVar wake;
  };
  using WaiterPtr = std::shared_ptr<Waiter>;  // Of its caller, and of the batch it is in.

  static absl::Status TooLate() {
    return absl::DeadlineExceededError("no answer before the deadline");
  }

  Result Lead(const WaiterPtr& self) {
    std::vector<WaiterPtr> batch;
    WaiterPtr next;
    {
      const MutexLock lock(mutex_);
      if (std::chrono::steady_clock::now() < self->deadline) {
        batch = TakeBatch(*self);
      } else {  // Its turn came too late.
        std::erase(waiting_, self);
        next = ChooseLeader();
      }
    }
    if (batch.empty()) {
      if (next) next->wake.NotifyOne();
      return TooLate();
    }

    std::vector<Request> requests;
    requests.reserve(batch.size());
    for (const WaiterPtr& waiter : batch) requests.push_back(std::move(waiter->request));
    std::vector<Result> results = run_(std::move(requests), self->deadline);
    DT_CHECK(results.size() == batch.size());

    std::optional<Result> own;
    {
      const MutexLock lock(mutex_);
      for (std::size_t i = 0; i < batch.size(); ++i) batch[i]->result = std::move(results[i]);
      next = ChooseLeader();
      own = std::move(self->result);
    }
    // Woken without the lock, which each of them needs first.
    if (next) next->wake.NotifyOne();
    for (const WaiterPtr& waiter : batch) {
      if (waiter != self) waiter->wake.NotifyOne();
    }
    return *std::move(own);
  }

  // The oldest that fit, `self` among them.
  std::vector<WaiterPtr> TakeBatch(const Waiter& self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<WaiterPtr> batch;
    bool has_self = false;
    while (!waiting_.empty() && batch.size() < limits_.batch_max) {
      has_self = has_self || waiting_.front().get() == &self;
      batch.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    DT_CHECK(has_self);  // Those before it can only have left.
    return batch;
  }

  // Of those that the next batch will take; null, and nothing is under way, when none waits.
  WaiterPtr ChooseLeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    WaiterPtr leader;
    const std::size_t count = std::min(waiting_.size(), limits_.batch_max);
    for (std::size_t i = 0; i < count; ++i) {
      if (!leader || waiting_[i]->deadline >= leader->deadline) leader = waiting_[i];
    }
    running_ = leader != nullptr;
    if (leader) leader->leads = true;
    return leader;
  }

  const CoalescerLimits limits_;
  const Run run_;
  mutable Mutex mutex_;
  std::deque<WaiterPtr> waiting_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace devicetrust
