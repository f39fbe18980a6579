// A store shared by all threads of a service: many readers, one writer, group commit.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "libs/base/mutex.h"
#include "libs/base/trace.h"
#include "libs/db/connection.h"
#include "libs/db/migrations.h"
#include "libs/db/notices.h"
#include "libs/db/open.h"
#include "libs/metrics/metrics.h"

namespace devicetrust::db {

struct DatabaseOptions {
  std::size_t readers_max = 4;  // Read() calls at once; more wait.
  std::size_t batch_max = 256;  // Write() calls in one commit.
  std::int64_t bytes_max = 0;   // Size limit of the store; 0: the disk's.
};

// Thread-safe. Calls block the thread: never from a coroutine.
class Database {
 public:
  // Opens (creates) the store and brings its schema up to date. Errors: those of
  // OpenStore, Connection::LimitBytes and Migrate.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& url,
                                                        std::span<const Migration> migrations,
                                                        DatabaseOptions options = {});
  // Finishes the writes that wait, then closes.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs `fn(Transaction&)`, which returns absl::Status or absl::StatusOr<T>, and returns
  // its result once it is durable. An error of `fn` undoes what it did and nothing else;
  // an OK turns into an error when the commit fails. Calls that wait at the same time share
  // one commit, in the order of their arrival.
  //
  // After a commit that failed the store serves what it served before, and the next Write() is
  // tried as ever; the call may be repeated, since a crash may yet bring all of its change to
  // light (docs/adr/0020).
  //
  // `fn` runs on the writer thread, more than once when a neighbour in the commit fails: it reads
  // and changes rows, hands on the error of a statement, computes no signatures, calls nobody, and
  // has no other effect. What it finds out is what it returns; it is called as a constant, so
  // that it keeps nothing of an earlier run.
  template <typename F>
  std::invoke_result_t<const F&, Transaction&> Write(const F& fn) {
    std::optional<std::invoke_result_t<const F&, Transaction&>> result;
    absl::Status status = RunWrite([&fn, &result](Transaction& txn) {
      result.emplace(fn(txn));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // Runs `fn` against one snapshot of what is committed. It never waits for writers, and
  // any change it tries is refused.
  template <typename F>
  std::invoke_result_t<const F&, Transaction&> Read(const F& fn) {
    std::optional<std::invoke_result_t<const F&, Transaction&>> result;
    absl::Status status = RunRead([&fn, &result](Transaction& txn) {
      result.emplace(fn(txn));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // Until the watch is destroyed `notify` is called after each commit with a call that announced
  // `topic`, once, and before those calls return.
  //
  // A notice carries nothing and may be about several changes, or, where processes share a store,
  // about another's: who is told reads the store from the position that it knows. None is lost.
  // `notify` runs on the writer thread: it wakes somebody and returns.
  [[nodiscard]] Watch WatchTopic(std::string_view topic, std::function<void()> notify) {
    return notices_->Add(topic, std::move(notify));
  }

  // Commits so far and the calls they carried: how well the grouping works.
  std::uint64_t commits() const { return commits_; }
  std::uint64_t writes() const { return writes_; }

 private:
  using Work = std::function<absl::Status(Transaction&)>;
  // A one-shot wake-up. The waiter may destroy it as soon as Wait() returns, which a condition
  // variable does not allow.
  class Finish {
   public:
    Finish() { sem_init(&semaphore_, 0, 0); }
    ~Finish() { sem_destroy(&semaphore_); }
    Finish(const Finish&) = delete;
    Finish& operator=(const Finish&) = delete;
    void Signal() { sem_post(&semaphore_); }
    void Wait();

   private:
    sem_t semaphore_;
  };
  struct Job {
    const Work* work;
    const TraceId trace = CurrentTraceId();  // Of whoever waits for it.
    absl::Status status = {};
    Finish finish = {};
  };

  Database(DatabaseOptions options, const std::string& label);

  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }

  absl::Status RunWrite(const Work& work);
  absl::Status RunRead(const Work& work);
  absl::StatusOr<std::unique_ptr<Connection>> TakeReader();
  void GiveBackReader(std::unique_ptr<Connection> reader);
  void WriteLoop();
  void CommitBatch(std::span<Job* const> batch);
  absl::Status TryBatch(std::span<Job* const> batch, bool with_savepoints);
  absl::Status RunInSavepoint(Transaction& txn, const Work& work);

  const DatabaseOptions options_;
  metrics::Histogram& commit_seconds_;
  metrics::Histogram& commit_calls_;
  metrics::Counter& commits_failed_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Connection> writer_;  // Used by the writer thread alone.
  const std::shared_ptr<Notices> notices_ = std::make_shared<Notices>();

  Mutex mutex_;
  CondVar wake_;
  std::deque<Job*> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  Mutex readers_mutex_;
  CondVar reader_free_;
  std::vector<std::unique_ptr<Connection>> idle_readers_ ABSL_GUARDED_BY(readers_mutex_);
  std::size_t readers_open_ ABSL_GUARDED_BY(readers_mutex_) = 0;

  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::thread thread_;
  const metrics::Reading waiting_;  // Reads the queue; last, so it ends first.
};

}  // namespace devicetrust::db
