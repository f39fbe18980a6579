#include "libs/pki/pkcs11.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/log.h"
#include "libs/base/mutex.h"
#include "libs/pki/pkcs11_session.h"

namespace devicetrust::pki {
namespace {

using Steady = std::chrono::steady_clock;
using Work = std::function<absl::StatusOr<Bytes>(Pkcs11Session&)>;

constexpr std::size_t kWaitingMax = 1024;

// One piece of work. Shared by its caller, who may have gone, and the thread that does it.
struct Job {
  Work work;
  std::optional<absl::StatusOr<Bytes>> result;
  bool is_running = false;
  bool is_abandoned = false;
  CondVar done;
};

// The threads with their sessions. Each holds a share of it: one inside of the module may outlive
// whoever wanted the key.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(Pkcs11Uri uri, std::optional<PublicKey> expected, Pkcs11Options options)
      : uri_(std::move(uri)), expected_(std::move(expected)), options_(std::move(options)) {}

  absl::StatusOr<Bytes> Run(Work work);
  // No thread begins anything more; waits for those that answer within the deadline.
  void Stop();

 private:
  absl::Status Refusal(Steady::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StartThread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Serve();
  void Note(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status TooSlow() const;

  const Pkcs11Uri uri_;
  const std::optional<PublicKey> expected_;
  const Pkcs11Options options_;
  Mutex mutex_;
  CondVar work_came_;
  CondVar thread_ended_;
  std::deque<std::shared_ptr<Job>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::size_t threads_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> handles_ ABSL_GUARDED_BY(mutex_);  // Until Stop().
  std::set<std::thread::id> ended_ ABSL_GUARDED_BY(mutex_);
  std::size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t stuck_ ABSL_GUARDED_BY(mutex_) = 0;  // In a call that nobody waits for any more.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);  // Of the last call.
  std::chrono::milliseconds pause_ ABSL_GUARDED_BY(mutex_){0};
  Steady::time_point retry_at_ ABSL_GUARDED_BY(mutex_);
};

absl::Status Pool::TooSlow() const {
  return absl::UnavailableError(
      fmt::format("the PKCS#11 token did not answer within {} ms", options_.deadline.count()));
}

absl::Status Pool::Refusal(Steady::time_point now) {
  if (stuck_ >= options_.sessions_max || waiting_.size() >= kWaitingMax) return TooSlow();
  if (!failure_.ok() && now < retry_at_) return failure_;
  return absl::OkStatus();
}

absl::StatusOr<Bytes> Pool::Run(Work work) {
  const auto job = std::make_shared<Job>();
  job->work = std::move(work);
  const Steady::time_point begin = Steady::now();
  const MutexLock lock(mutex_);
  DT_RETURN_IF_ERROR(Refusal(begin));
  waiting_.push_back(job);
  if (idle_ < waiting_.size() && threads_ < options_.sessions_max && !StartThread()) {
    waiting_.pop_back();
    return absl::ResourceExhaustedError("no thread can be had for a PKCS#11 token");
  }
  work_came_.NotifyOne();
  while (!job->result) {
    if (job->done.WaitUntil(mutex_, begin + options_.deadline) || job->result) continue;
    job->is_abandoned = true;
    if (job->is_running) {
      ++stuck_;
    } else {
      std::erase(waiting_, job);
    }
    return TooSlow();
  }
  return *std::move(job->result);
}

// False when the system has none and there is none yet.
bool Pool::StartThread() {
  try {
    handles_.emplace_back([self = shared_from_this()] { self->Serve(); });
    ++threads_;
  } catch (const std::system_error&) {
    return threads_ > 0;
  }
  return true;
}

void Pool::Serve() {
  Pkcs11Session session(uri_, expected_);
  mutex_.Lock();
  while (!stopping_) {
    if (waiting_.empty()) {
      ++idle_;
      work_came_.Wait(mutex_);
      --idle_;
      continue;
    }
    const std::shared_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    job->is_running = true;
    mutex_.Unlock();
    absl::StatusOr<Bytes> result = job->work(session);
    mutex_.Lock();
    Note(result.status());
    if (job->is_abandoned) --stuck_;
    job->result = std::move(result);
    job->done.NotifyOne();
  }
  mutex_.Unlock();
  // Here and not by the destructor: Stop() waits for it.
  session.Close();
  mutex_.Lock();
  --threads_;
  ended_.insert(std::this_thread::get_id());
  thread_ended_.NotifyAll();
  mutex_.Unlock();
}

// Doubles the pause after each failure, and logs the first.
void Pool::Note(const absl::Status& status) {
  if (status.ok()) {
    if (!failure_.ok()) Log(LogLevel::kInfo, "pki.pkcs11.works", {{"uri", uri_.ToString()}});
    failure_ = absl::OkStatus();
    pause_ = std::chrono::milliseconds(0);
    return;
  }
  if (failure_.ok()) {
    Log(LogLevel::kError, "pki.pkcs11.failed",
        {{"uri", uri_.ToString()}, {"status", status.ToString()}});
  }
  failure_ = status;
  pause_ = std::clamp(2 * pause_, options_.retry_min, options_.retry_max);
  retry_at_ = Steady::now() + pause_;
}

// Those that answered are gone for good when it returns: what a library frees as a thread ends must
// not meet what it frees as the process ends.
void Pool::Stop() {
  std::vector<std::thread> handles;
  std::set<std::thread::id> ended;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    work_came_.NotifyAll();
    const Steady::time_point end = Steady::now() + options_.deadline;
    while (threads_ > 0 && thread_ended_.WaitUntil(mutex_, end)) {
    }
    handles.swap(handles_);
    ended.swap(ended_);
  }
  for (std::thread& handle : handles) {
    if (ended.contains(handle.get_id())) {
      handle.join();
    } else {
      handle.detach();  // Inside of the module, who knows for how long.
    }
  }
}

absl::StatusOr<Pkcs11Uri> WithDefaults(const std::string& text, const Pkcs11Options& options) {
  DT_ASSIGN_OR_RETURN(Pkcs11Uri uri, ParsePkcs11Uri(text));
  if (uri.module_path.empty() && uri.module_name.empty()) uri.module_path = options.module_path;
  if (uri.pin_source.empty()) uri.pin_source = options.pin_file;
  return uri;
}

class TokenKey final : public Pkcs11Key {
 public:
  TokenKey(Pkcs11Uri uri, PublicKey key, Pkcs11Options options)
      : uri_(std::move(uri)), key_(std::move(key)), options_(std::move(options)) {}
  ~TokenKey() override {
    if (pool_ && owner_ == getpid()) pool_->Stop();
  }

  PublicKey public_key() const override { return key_; }

  absl::StatusOr<Bytes> SignDigest(std::span<const std::uint8_t> digest) const override {
    return Threads()->Run([input = Bytes(digest.begin(), digest.end())](Pkcs11Session& session) {
      return session.SignDigest(input);
    });
  }

  absl::Status Check() const override {
    return Threads()
        ->Run([](Pkcs11Session& session) -> absl::StatusOr<Bytes> {
          DT_ASSIGN_OR_RETURN(const PublicKey found, session.ReadPublicKey());
          return found.Spki();
        })
        .status();
  }

 private:
  // Those of this process: a child after fork() has none of its parent's threads.
  std::shared_ptr<Pool> Threads() const {
    const MutexLock lock(mutex_);
    if (owner_ != getpid()) {
      // The parent's is left as it is: its lock may be held by a thread that is not here.
      if (pool_) static_cast<void>(new std::shared_ptr<Pool>(std::move(pool_)));
      pool_ = std::make_shared<Pool>(uri_, key_, options_);
      owner_ = getpid();
    }
    return pool_;
  }

  const Pkcs11Uri uri_;
  const PublicKey key_;
  const Pkcs11Options options_;
  mutable Mutex mutex_;
  mutable std::shared_ptr<Pool> pool_ ABSL_GUARDED_BY(mutex_);
  mutable pid_t owner_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Pkcs11Key>> Pkcs11Key::For(const std::string& uri,
                                                                const PublicKey& expected,
                                                                Pkcs11Options options) {
  DT_ASSIGN_OR_RETURN(Pkcs11Uri where, WithDefaults(uri, options));
  return std::make_shared<const TokenKey>(std::move(where), expected, std::move(options));
}

absl::StatusOr<std::shared_ptr<const Pkcs11Key>> Pkcs11Key::Find(const std::string& uri,
                                                                 Pkcs11Options options) {
  DT_ASSIGN_OR_RETURN(Pkcs11Uri where, WithDefaults(uri, options));
  const auto pool = std::make_shared<Pool>(where, std::nullopt, options);
  const absl::StatusOr<Bytes> spki = pool->Run([](Pkcs11Session& session) -> absl::StatusOr<Bytes> {
    DT_ASSIGN_OR_RETURN(const PublicKey found, session.ReadPublicKey());
    return found.Spki();
  });
  pool->Stop();
  if (!spki.ok()) return spki.status();
  DT_ASSIGN_OR_RETURN(const PublicKey key, PublicKey::FromSpki(*spki));
  return std::make_shared<const TokenKey>(std::move(where), key, std::move(options));
}

}  // namespace devicetrust::pki
