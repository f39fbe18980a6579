// A store shared by all threads of a service: many readers, one writer, group commit.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "libs/db/connection.h"
#include "libs/db/migrations.h"

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
  // Connection::Open and Migrate.
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
  // `fn` runs on the writer thread, more than once after a conflict or when a neighbour in the
  // commit fails: it reads and changes the store, computes no signatures, calls nobody, and has
  // no other effect.
  template <typename F>
  std::invoke_result_t<F&, Transaction&> Write(F fn) {
    std::optional<std::invoke_result_t<F&, Transaction&>> result;
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
  std::invoke_result_t<F&, Transaction&> Read(F fn) {
    std::optional<std::invoke_result_t<F&, Transaction&>> result;
    absl::Status status = RunRead([&fn, &result](Transaction& txn) {
      result.emplace(fn(txn));
      return StatusOf(*result);
    });
    if (!status.ok()) return status;
    return *std::move(result);
  }

  // `hook` runs on the writer thread after every commit, before its Write() calls return: it
  // notifies somebody and returns.
  void OnCommit(std::function<void()> hook);

  // Commits so far and the calls they carried: how well the grouping works.
  std::uint64_t commits() const { return commits_; }
  std::uint64_t writes() const { return writes_; }

 private:
  using Work = std::function<absl::Status(Transaction&)>;
  // Ends one wait of one thread, which may destroy it at once: a condition variable would have
  // to be notified under a lock, and its waiter woken twice.
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
    absl::Status status = {};
    Finish finish = {};
  };

  explicit Database(DatabaseOptions options) : options_(options) {}

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
  void RunHooks();
  void CommitBatch(std::span<Job* const> batch);
  absl::Status CommitTogether(std::span<Job* const> batch);
  absl::Status TryBatch(std::span<Job* const> batch, bool with_savepoints);
  absl::Status RunInSavepoint(Transaction& txn, const Work& work);

  const DatabaseOptions options_;
  std::string url_;
  std::unique_ptr<Connection> writer_;  // Used by the writer thread alone.
  bool reads_on_writer_ = false;        // An in-memory store has one connection.

  std::mutex mutex_;  // Guards queue_, stopping_ and hooks_.
  std::condition_variable wake_;
  std::deque<Job*> queue_;
  bool stopping_ = false;
  std::vector<std::function<void()>> hooks_;

  std::mutex readers_mutex_;  // Guards the next two.
  std::condition_variable reader_free_;
  std::vector<std::unique_ptr<Connection>> idle_readers_;
  std::size_t readers_open_ = 0;

  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> writes_{0};
  std::thread thread_;
};

}  // namespace devicetrust::db
