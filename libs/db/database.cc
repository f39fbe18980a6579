#include "libs/db/database.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/db/sqlite.h"

namespace devicetrust::db {
namespace {

constexpr int kConflictRetriesMax = 5;

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& url,
                                                         std::span<const Migration> migrations,
                                                         DatabaseOptions options) {
  std::unique_ptr<Database> database(new Database(options));
  database->url_ = url;
  database->reads_on_writer_ = IsInMemory(url);
  DT_ASSIGN_OR_RETURN(database->writer_, Connection::Open(url));
  DT_RETURN_IF_ERROR(Migrate(*database->writer_, migrations));
  if (options.bytes_max > 0) {
    DT_RETURN_IF_ERROR(LimitBytes(*database->writer_, options.bytes_max));
  }
  database->thread_ = std::thread([raw = database.get()] { raw->WriteLoop(); });
  return database;
}

Database::~Database() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Does not spin, unlike std::atomic::wait: a commit takes longer, and the writer needs the core.
void Database::Finish::Wait() {
  while (sem_wait(&semaphore_) != 0) DT_CHECK(errno == EINTR);
}

void Database::OnCommit(std::function<void()> hook) {
  const std::lock_guard lock(mutex_);
  hooks_.push_back(std::move(hook));
}

absl::Status Database::RunWrite(const Work& work) {
  Job job{.work = &work};
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return absl::UnavailableError("the store is closing");
    queue_.push_back(&job);
  }
  wake_.notify_one();
  job.finish.Wait();
  return std::move(job.status);
}

void Database::WriteLoop() {
  std::vector<Job*> batch;
  for (;;) {
    batch.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < options_.batch_max) {
        batch.push_back(queue_.front());
        queue_.pop_front();
      }
    }
    CommitBatch(batch);
  }
}

void Database::RunHooks() {
  std::vector<std::function<void()>> hooks;
  {
    const std::lock_guard lock(mutex_);
    hooks = hooks_;
  }
  for (const auto& hook : hooks) hook();
}

void Database::CommitBatch(std::span<Job* const> batch) {
  absl::Status status = CommitTogether(batch);
  for (int i = 0; absl::IsAborted(status) && i < kConflictRetriesMax; ++i) {
    // Not a wait for an event: replicas that collided would collide again in step.
    std::this_thread::sleep_for(std::chrono::milliseconds(1 << i));
    status = CommitTogether(batch);
  }
  if (status.ok()) {
    ++commits_;
    writes_ += batch.size();
    RunHooks();
  } else {
    Log(LogLevel::kError, "db.commit.failed",
        {{"calls", batch.size()}, {"status", status.ToString()}});
  }
  for (Job* job : batch) {
    if (!status.ok() && job->status.ok()) job->status = status;
    job->finish.Signal();  // The last look at it: the waiter owns the job.
  }
}

// All calls of a batch or, when this fails, none. Most calls succeed, so they first run
// without savepoints, which cost two statements each.
absl::Status Database::CommitTogether(std::span<Job* const> batch) {
  const absl::Status status = TryBatch(batch, false);
  return absl::IsCancelled(status) ? TryBatch(batch, true) : status;
}

// kCancelled, and nothing is changed: a call failed after it had changed something, which
// only a savepoint can undo for it alone.
absl::Status Database::TryBatch(std::span<Job* const> batch, bool with_savepoints) {
  DT_ASSIGN_OR_RETURN(Transaction txn, writer_->Begin());
  for (Job* job : batch) {
    const std::int64_t changes = writer_->Changes();
    job->status = with_savepoints ? RunInSavepoint(txn, *job->work) : (*job->work)(txn);
    if (!writer_->InTransaction()) {
      // The driver dropped everything, also what earlier calls of the batch did.
      return job->status.ok() ? absl::UnavailableError("the store gave up a transaction")
                              : job->status;
    }
    if (writer_->conflict_) return absl::AbortedError("the store met a conflict");
    if (!with_savepoints && !job->status.ok() && writer_->Changes() != changes) {
      return batch.size() == 1 ? absl::OkStatus() : absl::CancelledError("a call must be undone");
    }
  }
  return txn.Commit();
}

absl::Status Database::RunInSavepoint(Transaction& txn, const Work& work) {
  DT_RETURN_IF_ERROR(txn.Run("SAVEPOINT one_call").status());
  absl::Status status = work(txn);
  if (!writer_->InTransaction()) return status;
  if (!status.ok()) {
    if (const auto undone = txn.Run("ROLLBACK TO one_call"); !undone.ok()) {
      // Half a change must not be committed with the others.
      writer_->Execute("ROLLBACK", {}).IgnoreError();
      return undone.status();
    }
  }
  const auto released = txn.Run("RELEASE one_call");
  return status.ok() ? released.status() : status;
}

absl::Status Database::RunRead(const Work& work) {
  if (reads_on_writer_) return RunWrite(work);
  DT_ASSIGN_OR_RETURN(std::unique_ptr<Connection> reader, TakeReader());
  absl::Status status;
  {
    auto txn = reader->Begin();
    status = txn.ok() ? work(*txn) : txn.status();
  }
  GiveBackReader(std::move(reader));
  return status;
}

absl::StatusOr<std::unique_ptr<Connection>> Database::TakeReader() {
  {
    std::unique_lock lock(readers_mutex_);
    reader_free_.wait(
        lock, [this] { return !idle_readers_.empty() || readers_open_ < options_.readers_max; });
    if (!idle_readers_.empty()) {
      auto reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
    ++readers_open_;
  }
  auto reader = Connection::Open(url_, Connection::Mode::kReader);
  if (!reader.ok()) {
    const std::lock_guard lock(readers_mutex_);
    --readers_open_;
    reader_free_.notify_one();
  }
  return reader;
}

void Database::GiveBackReader(std::unique_ptr<Connection> reader) {
  {
    const std::lock_guard lock(readers_mutex_);
    idle_readers_.push_back(std::move(reader));
  }
  reader_free_.notify_one();
}

}  // namespace devicetrust::db
