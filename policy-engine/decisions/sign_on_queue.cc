#include "policy-engine/decisions/sign_on_queue.h"

#include <optional>

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kBatchMax = 256;  // In one transaction.
// While one sends its answers, another has its transaction.
constexpr int kDeciders = 2;
// Of sign-ons whose directory is asked first, a quarter of an hour after the last time.
constexpr int kAskers = 16;

}  // namespace

SignOnQueue::SignOnQueue(SignOn& sign_on) : sign_on_(sign_on) {
  for (int i = 0; i < kDeciders; ++i) threads_.emplace_back([this] { DecideLoop(); });
  for (int i = 0; i < kAskers; ++i) threads_.emplace_back([this] { AskLoop(); });
}

SignOnQueue::~SignOnQueue() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  ready_came_.NotifyAll();
  asking_came_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

void SignOnQueue::Evaluate(const v1::EvaluateRequest& request, Done done) {
  if (sign_on_.AsksDirectory(request)) {
    {
      const MutexLock lock(mutex_);
      asking_.push_back({&request, std::move(done), CurrentTraceId()});
    }
    return asking_came_.NotifyOne();
  }
  absl::StatusOr<ReadySignOn> ready = sign_on_.MakeReady(request);
  if (!ready.ok()) return done(std::move(ready).status());
  bool first = false;
  {
    const MutexLock lock(mutex_);
    first = ready_.empty();
    ready_.push_back({*std::move(ready), std::move(done)});
  }
  if (first) ready_came_.NotifyOne();
}

// False: the queue ends.
bool SignOnQueue::ClaimReady() {
  const MutexLock lock(mutex_);
  while (ready_.empty() ? !stopping_ : claimed_) ready_came_.Wait(mutex_);
  if (ready_.empty()) return false;
  claimed_ = true;
  return true;
}

std::vector<SignOnQueue::Done> SignOnQueue::TakeReady(std::vector<ReadySignOn>& sign_ons) {
  std::vector<Done> answers;
  const MutexLock lock(mutex_);
  claimed_ = false;
  while (!ready_.empty() && answers.size() < kBatchMax) {
    sign_ons.push_back(std::move(ready_.front().sign_on));
    answers.push_back(std::move(ready_.front().done));
    ready_.pop_front();
  }
  if (!ready_.empty() || stopping_) ready_came_.NotifyAll();
  return answers;
}

// Taken on the writer's thread, at the beginning of the transaction: the store is not without work
// between two of them, and none is smaller than it must be.
void SignOnQueue::DecideLoop() {
  while (ClaimReady()) {
    std::vector<ReadySignOn> sign_ons;
    std::optional<std::vector<Done>> answers;
    std::vector<SignOn::Response> responses = sign_on_.DecideAll([&] {
      if (!answers) answers = TakeReady(sign_ons);
      return std::span<const ReadySignOn>(sign_ons);
    });
    for (std::size_t i = 0; i < responses.size(); ++i) {
      const TraceScope trace(sign_ons[i].trace);
      (*answers)[i](std::move(responses[i]));
    }
  }
}

void SignOnQueue::AskLoop() {
  for (;;) {
    std::optional<Asking> taken;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && asking_.empty()) asking_came_.Wait(mutex_);
      if (asking_.empty()) return;
      taken = std::move(asking_.front());
      asking_.pop_front();
    }
    const TraceScope trace(taken->trace);
    taken->done(sign_on_.Evaluate(*taken->request));
  }
}

}  // namespace devicetrust::policy
