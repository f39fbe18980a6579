#include "policy-engine/users/pending_factor.h"

namespace devicetrust::policy {

absl::Status StorePendingFactor(db::Transaction& txn, const PendingFactor& pending) {
  return txn
      .Run(
          "INSERT INTO pending_factors (user_id, enrollment_id, session_id, sealed_secret,"
          " expires_at, failures) VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (user_id)"
          " DO UPDATE SET enrollment_id = excluded.enrollment_id,"
          " session_id = excluded.session_id, sealed_secret = excluded.sealed_secret,"
          " expires_at = excluded.expires_at, failures = 0",
          {pending.user_id, pending.enrollment_id, pending.session_id, pending.sealed,
           UnixSeconds(pending.expires_at)})
      .status();
}

absl::StatusOr<std::optional<PendingFactor>> FindPendingFactor(db::Transaction& txn,
                                                               const std::string& user_id,
                                                               WallTime now) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT enrollment_id, session_id, sealed_secret, expires_at, failures"
              " FROM pending_factors WHERE user_id = $1",
              {user_id}));
  if (rows.empty()) return std::optional<PendingFactor>();
  const db::Row& row = rows.front();
  const WallTime expires_at{std::chrono::seconds(db::Int(row[3]))};
  // One that lasts longer than it may is of a clock that was set back since.
  if (now >= expires_at || expires_at - now > kPendingFactorFor) {
    return std::optional<PendingFactor>();
  }
  return std::optional(PendingFactor{user_id, db::Text(row[0]), db::Text(row[1]), db::Blob(row[2]),
                                     expires_at, db::Int(row[4])});
}

absl::Status CountPendingFailure(db::Transaction& txn, const PendingFactor& pending) {
  if (pending.failures + 1 >= kPendingFailuresMax) {
    return RemovePendingFactor(txn, pending.user_id);
  }
  return txn
      .Run("UPDATE pending_factors SET failures = failures + 1 WHERE user_id = $1",
           {pending.user_id})
      .status();
}

absl::Status RemovePendingFactor(db::Transaction& txn, const std::string& user_id) {
  return txn.Run("DELETE FROM pending_factors WHERE user_id = $1", {user_id}).status();
}

absl::Status PrunePendingFactors(db::Transaction& txn, WallTime now) {
  return txn.Run("DELETE FROM pending_factors WHERE expires_at <= $1", {UnixSeconds(now)}).status();
}

}  // namespace devicetrust::policy
