#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace devicetrust {

// A fixed number of threads behind a bounded queue, for libraries that block (libkrb5,
// libldap). It says no when the queue is full instead of letting work pile up.
class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t queue_max);
  // Runs what was accepted, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and `work` is dropped, when `queue_max` jobs wait already. `work` must not
  // throw. Thread-safe.
  [[nodiscard]] bool Submit(std::function<void()> work);

 private:
  void Run();

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // Guarded by mutex_, as stopping_ is.
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace devicetrust
