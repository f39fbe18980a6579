#include "policy-engine/users/user_revoker.h"

#include <utility>
#include <vector>

#include "libs/base/log.h"
#include "libs/db/sequence.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

constexpr std::string_view kPromiseSequence = "pending_revocations";

}  // namespace

UserRevoker::UserRevoker(db::Database& database, CertificateRevoker& ca, UserRevokerOptions options)
    : database_(database),
      ca_(ca),
      retry_(options.retry_min, options.retry_max),
      loop_(std::chrono::milliseconds(0), [this] { return Step(); }) {}

UserRevoker::~UserRevoker() { Stop(); }

void UserRevoker::Stop() { loop_.Stop(); }

absl::Status UserRevoker::Promise(db::Transaction& txn, const std::string& user_id,
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

absl::StatusOr<std::vector<UserRevoker::Waiting>> UserRevoker::ReadWaiting(
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

absl::StatusOr<std::int32_t> UserRevoker::Keep(const Waiting& waiting) {
  ca::v1::RevokeForUserRequest request;
  request.set_user_id(waiting.user_id);
  request.set_reason(ca::v1::REVOCATION_REASON_CESSATION_OF_OPERATION);
  request.set_requested_by(waiting.requested_by);
  const absl::StatusOr<ca::v1::RevokeForUserResponse> answer = ca_.RevokeForUser(request);
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

UserRevoker::Hold::Hold(UserRevoker& revoker, std::string user_id)
    : revoker_(revoker), user_id_(std::move(user_id)) {
  const MutexLock lock(revoker_.mutex_);
  revoker_.in_hand_.insert(user_id_);
}

UserRevoker::Hold::~Hold() {
  {
    const MutexLock lock(revoker_.mutex_);
    revoker_.in_hand_.erase(revoker_.in_hand_.find(user_id_));
  }
  if (!kept_) revoker_.loop_.Wake();
}

std::optional<std::int32_t> UserRevoker::Hold::KeepNow() {
  const auto waiting = revoker_.ReadWaiting(&user_id_);
  if (!waiting.ok() || waiting->empty()) return std::nullopt;
  const absl::StatusOr<std::int32_t> revoked = revoker_.Keep(waiting->front());
  if (!revoked.ok()) return std::nullopt;
  kept_ = true;
  return *revoked;
}

absl::StatusOr<bool> UserRevoker::Waits(db::Transaction& txn, const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT sequence FROM pending_revocations WHERE user_id = $1", {user_id}));
  return !rows.empty();
}

absl::StatusOr<std::int64_t> UserRevoker::Pending() {
  return database_.Read([](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
    DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT COUNT(*) FROM pending_revocations"));
    return db::Int(rows.front()[0]);
  });
}

bool UserRevoker::KeepAll() {
  const auto waiting = ReadWaiting(nullptr);
  if (!waiting.ok()) return false;
  for (const Waiting& one : *waiting) {
    if (loop_.stopping()) return false;
    {
      const MutexLock lock(mutex_);
      if (in_hand_.contains(one.user_id)) continue;
    }
    const auto still = ReadWaiting(&one.user_id);  // A Hold may have been quicker.
    if (!still.ok()) return false;
    // One failure is enough: the CA is away, and every further call would wait for it too.
    if (!still->empty() && !Keep(still->front()).ok()) return false;
  }
  return true;
}

// A promise that is held ends with Wake() when it was not kept.
std::chrono::milliseconds UserRevoker::Step() {
  if (!KeepAll()) return retry_.Next();
  retry_.Reset();
  return BackgroundLoop::kUntilWoken;
}

}  // namespace devicetrust::policy
