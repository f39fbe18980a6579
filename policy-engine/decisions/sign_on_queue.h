// Sign-ons that wait for their decision without a thread of their own.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/decisions.pb.h"
#include "libs/base/mutex.h"
#include "libs/base/trace.h"
#include "policy-engine/decisions/sign_on.h"

namespace devicetrust::policy {

// All that come while a transaction is under way share the next one. Thread-safe; whoever calls
// bounds how many wait, as a listener does.
class SignOnQueue {
 public:
  using Done = std::function<void(SignOn::Response)>;

  // `sign_on` outlives it.
  explicit SignOnQueue(SignOn& sign_on);
  ~SignOnQueue();  // All that wait get their answers first.
  SignOnQueue(const SignOnQueue&) = delete;
  SignOnQueue& operator=(const SignOnQueue&) = delete;

  // What SignOn::Evaluate() does, but returns at once: `done` is called with the answer once this
  // is durable, on a thread of the queue, or before this returns when the store need not be asked.
  // `request` must live until then.
  void Evaluate(const org::v1::EvaluateRequest& request, Done done);

 private:
  struct Ready {
    ReadySignOn sign_on;
    Done done;
  };
  struct Asking {
    const org::v1::EvaluateRequest* request;
    Done done;
    TraceId trace;
  };

  void DecideLoop();
  void AskLoop();
  bool ClaimReady();
  std::vector<Done> TakeReady(std::vector<ReadySignOn>& sign_ons);

  SignOn& sign_on_;
  Mutex mutex_;
  CondVar ready_came_;
  CondVar asking_came_;
  std::deque<Ready> ready_ ABSL_GUARDED_BY(mutex_);
  // One waits for its transaction, in which it takes what is ready by then.
  bool claimed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Asking> asking_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace devicetrust::policy
