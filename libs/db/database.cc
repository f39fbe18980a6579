#include "libs/db/database.h"

#include <cerrno>

#include "libs/base/check.h"
#include "libs/base/log.h"
#include "libs/db/metrics.h"

namespace devicetrust::db {
namespace {

// "sqlite:/var/lib/dt-ca/dt-ca.db" -> "dt-ca": the store in metrics.
std::string LabelOf(std::string_view url) {
  std::string_view name = url.substr(url.find(':') + 1);
  name.remove_prefix(name.rfind('/') + 1);
  return std::string(name.substr(0, name.find('.')));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& url,
                                                         std::span<const Migration> migrations,
                                                         DatabaseOptions options) {
  std::unique_ptr<Database> database(new Database(options, LabelOf(url)));
  DT_ASSIGN_OR_RETURN(database->store_, OpenStore(url));
  DT_ASSIGN_OR_RETURN(database->writer_, database->store_->Connect(Connection::Mode::kWriter));
  DT_RETURN_IF_ERROR(Migrate(*database->writer_, migrations));
  if (options.bytes_max > 0) {
    DT_RETURN_IF_ERROR(database->writer_->LimitBytes(options.bytes_max));
  }
  database->thread_ = std::thread([raw = database.get()] { raw->WriteLoop(); });
  return database;
}

Database::Database(DatabaseOptions options, const std::string& label)
    : options_(options),
      commit_seconds_(kCommitSeconds.With({label})),
      commit_calls_(kCommitCalls.With({label})),
      commits_failed_(kCommitsFailed.With({label})),
      waiting_(kWritesWaiting.Read({label}, [this] {
        const MutexLock lock(mutex_);
        return static_cast<double>(queue_.size());
      })) {}

Database::~Database() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

// Does not spin, unlike std::atomic::wait: a commit takes longer, and the writer needs the core.
void Database::Finish::Wait() {
  while (sem_wait(&semaphore_) != 0) DT_CHECK(errno == EINTR);
}

absl::Status Database::RunWrite(const Work& work) {
  Job job{.work = &work};
  {
    const MutexLock lock(mutex_);
    if (stopping_) return absl::UnavailableError("the store is closing");
    queue_.push_back(&job);
  }
  wake_.NotifyOne();
  job.finish.Wait();
  return std::move(job.status);
}

void Database::WriteLoop() {
  std::vector<Job*> batch;
  for (;;) {
    batch.clear();
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && queue_.empty()) wake_.Wait(mutex_);
      if (queue_.empty()) return;
      while (!queue_.empty() && batch.size() < options_.batch_max) {
        batch.push_back(queue_.front());
        queue_.pop_front();
      }
    }
    CommitBatch(batch);
  }
}

// All calls of a batch or, when this fails, none. Most calls succeed, so they first run
// without savepoints, which cost two statements each.
void Database::CommitBatch(std::span<Job* const> batch) {
  commit_calls_.Observe(static_cast<double>(batch.size()));
  absl::Status status;
  {
    const metrics::Stopwatch stopwatch(commit_seconds_);
    status = TryBatch(batch, false);
    if (absl::IsCancelled(status)) status = TryBatch(batch, true);
  }
  if (status.ok()) {
    ++commits_;
    writes_ += batch.size();
  } else {
    commits_failed_.Add();
    Log(LogLevel::kError, "db.commit.failed",
        {{"calls", batch.size()}, {"status", status.ToString()}});
  }
  for (Job* job : batch) {
    if (!status.ok() && job->status.ok()) job->status = status;
    job->finish.Signal();  // The last look at it: the waiter owns the job.
  }
}

// kCancelled, and nothing is changed: a call failed after it had changed something, or the store
// wants the transaction given up for it; only a savepoint can undo it alone.
absl::Status Database::TryBatch(std::span<Job* const> batch, bool with_savepoints) {
  using State = Connection::State;
  DT_ASSIGN_OR_RETURN(Transaction txn, writer_->Begin());
  for (Job* job : batch) {
    txn.changed_ = false;
    const TraceScope trace(job->trace);
    const std::size_t topics = txn.topics_.size();
    job->status = with_savepoints ? RunInSavepoint(txn, *job->work) : (*job->work)(txn);
    if (!job->status.ok()) txn.topics_.resize(topics);
    const State state = writer_->TransactionState();
    if (state == State::kOver || (state == State::kFailed && with_savepoints)) {
      // The store dropped everything, also what earlier calls of the batch did.
      return job->status.ok() ? absl::UnavailableError("the store gave up a transaction")
                              : job->status;
    }
    const bool undo = state == State::kFailed || (!job->status.ok() && txn.changed_);
    if (undo && !with_savepoints) {
      return batch.size() == 1 && !job->status.ok() ? absl::OkStatus()
                                                    : absl::CancelledError("a call must be undone");
    }
  }
  const std::vector<std::string_view> topics = txn.topics_;
  DT_RETURN_IF_ERROR(txn.Commit());
  notices_->Tell(topics);
  return absl::OkStatus();
}

absl::Status Database::RunInSavepoint(Transaction& txn, const Work& work) {
  DT_RETURN_IF_ERROR(txn.Run("SAVEPOINT one_call").status());
  absl::Status status = work(txn);
  if (writer_->TransactionState() == Connection::State::kOver) return status;
  if (!status.ok()) {
    if (const auto undone = txn.Run("ROLLBACK TO one_call"); !undone.ok()) {
      // Half a change must not be committed with the others.
      writer_->RollBackTransaction();
      return undone.status();
    }
  }
  const auto released = txn.Run("RELEASE one_call");
  return status.ok() ? released.status() : status;
}

absl::Status Database::RunRead(const Work& work) {
  if (!store_->has_readers()) return RunWrite(work);
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
  const MutexLock lock(readers_mutex_);
  while (idle_readers_.empty() && readers_open_ == options_.readers_max) {
    reader_free_.Wait(readers_mutex_);
  }
  if (!idle_readers_.empty()) {
    auto reader = std::move(idle_readers_.back());
    idle_readers_.pop_back();
    return reader;
  }
  // Under the lock: a store connects one at a time.
  DT_ASSIGN_OR_RETURN(auto reader, store_->Connect(Connection::Mode::kReader));
  ++readers_open_;
  return reader;
}

void Database::GiveBackReader(std::unique_ptr<Connection> reader) {
  {
    const MutexLock lock(readers_mutex_);
    idle_readers_.push_back(std::move(reader));
  }
  reader_free_.NotifyOne();
}

}  // namespace devicetrust::db
