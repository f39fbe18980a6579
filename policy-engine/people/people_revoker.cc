#include "policy-engine/people/people_revoker.h"

#include <utility>
#include <vector>

#include "libs/base/log.h"
#include "libs/db/sequence.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

constexpr std::string_view kPromiseSequence = "pending_revocations";

}  // namespace

PeopleRevoker::PeopleRevoker(db::Database& database, Revoke revoke, PeopleRevokerOptions options)
    : database_(database),
      revoke_(std::move(revoke)),
      retry_(options.retry_min, options.retry_max),
      loop_(std::chrono::milliseconds(0), [this] { return Step(); }) {}

PeopleRevoker::~PeopleRevoker() { Stop(); }

void PeopleRevoker::Stop() { loop_.Stop(); }

absl::Status PeopleRevoker::Promise(db::Transaction& txn, const std::string& user_id,
                                    const std::string& requested_by, WallTime now) {
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence, db::NextSequence(txn, kPromiseSequence));
  return txn
      .Run(
          "INSERT INTO pending_revocations (user_id, requested_by, promised_at, sequence)"
          " VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO UPDATE SET"
          " requested_by = excluded.requested_by, promised_at = excluded.promised_at,"
          " sequence = excluded.sequence",
          {user_id, requested_by, UnixSeconds(now), sequence})
      .status();
}

absl::StatusOr<std::vector<PeopleRevoker::Waiting>> PeopleRevoker::ReadWaiting(
    const std::string* user_id) {
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<std::vector<Waiting>> {
    constexpr std::string_view kAll =
        "SELECT user_id, requested_by, sequence FROM pending_revocations"
        " ORDER BY sequence";
    constexpr std::string_view kOne =
        "SELECT user_id, requested_by, sequence FROM pending_revocations WHERE user_id = $1";
    absl::StatusOr<std::vector<db::Row>> rows =
        user_id == nullptr ? txn.Run(kAll) : txn.Run(kOne, {*user_id});
    if (!rows.ok()) return rows.status();
    std::vector<Waiting> waiting;
    for (const db::Row& row : *rows) {
      waiting.push_back({db::Text(row[0]), db::Text(row[1]), db::Int(row[2])});
    }
    return waiting;
  });
}

absl::StatusOr<std::int32_t> PeopleRevoker::Keep(const Waiting& waiting) {
  ca::v1::RevokeForUserRequest request;
  request.set_user_id(waiting.user_id);
  request.set_reason(ca::v1::REVOCATION_REASON_CESSATION_OF_OPERATION);
  request.set_requested_by(waiting.requested_by);
  const absl::StatusOr<ca::v1::RevokeForUserResponse> answer = revoke_(request);
  if (!answer.ok()) {
    Log(LogLevel::kWarning, "user.revocation.delayed",
        {{"user_id", waiting.user_id},
         {"reason", rpc::ReasonName(answer.status())},
         {"error", std::string(answer.status().message())}});
    return answer.status();
  }
  DT_RETURN_IF_ERROR(database_.Write([&waiting](db::Transaction& txn) {
    return txn
        .Run("DELETE FROM pending_revocations WHERE user_id = $1 AND sequence = $2",
             {waiting.user_id, waiting.sequence})
        .status();
  }));
  return answer->revoked();
}

absl::StatusOr<std::optional<std::int32_t>> PeopleRevoker::PromiseAndTry(
    const std::string& user_id, const std::function<absl::Status()>& promise) {
  {
    const MutexLock lock(mutex_);
    in_hand_.insert(user_id);
  }
  const absl::Status promised = promise();
  std::optional<std::int32_t> revoked;
  if (promised.ok()) {
    const auto waiting = ReadWaiting(&user_id);
    if (waiting.ok() && !waiting->empty()) {
      const absl::StatusOr<std::int32_t> kept = Keep(waiting->front());
      if (kept.ok()) revoked = *kept;
    }
  }
  {
    const MutexLock lock(mutex_);
    in_hand_.erase(in_hand_.find(user_id));
  }
  if (!promised.ok()) return promised;
  if (!revoked) loop_.Wake();
  return revoked;
}

absl::StatusOr<bool> PeopleRevoker::Waits(db::Transaction& txn, const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT sequence FROM pending_revocations WHERE user_id = $1", {user_id}));
  return !rows.empty();
}

absl::StatusOr<std::int64_t> PeopleRevoker::Pending() {
  return database_.Read([](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
    DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT COUNT(*) FROM pending_revocations"));
    return db::Int(rows.front()[0]);
  });
}

bool PeopleRevoker::KeepAll() {
  const auto waiting = ReadWaiting(nullptr);
  if (!waiting.ok()) return false;
  for (const Waiting& one : *waiting) {
    if (loop_.stopping()) return false;
    {
      const MutexLock lock(mutex_);
      if (in_hand_.contains(one.user_id)) continue;
    }
    const auto still = ReadWaiting(&one.user_id);  // PromiseAndTry() may have been quicker.
    if (!still.ok()) return false;
    // One failure is enough: the CA is away, and every further call would wait for it too.
    if (!still->empty() && !Keep(still->front()).ok()) return false;
  }
  return true;
}

// A promise that is in hand ends with Wake() when it fails.
std::chrono::milliseconds PeopleRevoker::Step() {
  if (!KeepAll()) return retry_.Next();
  retry_.Reset();
  return BackgroundLoop::kUntilWoken;
}

}  // namespace devicetrust::policy
