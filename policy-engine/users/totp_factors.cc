#include "policy-engine/users/totp_factors.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "policy-engine/users/known_networks.h"
#include "policy-engine/users/pending_factor.h"
#include "policy-engine/users/recovery_codes.h"
#include "policy-engine/users/totp.h"

namespace devicetrust::policy {
namespace {

constexpr std::size_t kNewSecretBytes = 20;  // RFC 4226, section 4: as long as the hash.

constexpr std::chrono::hours kNetworkForgottenAfter{24};
constexpr std::int64_t kNetworksPrunedPerCall = 1000;

std::string FactorPurpose(const std::string& user_id) { return "org.totp_secret/" + user_id; }

// What belongs to the factor that goes.
absl::Status ForgetWithFactor(db::Transaction& txn, const std::string& user_id) {
  DT_RETURN_IF_ERROR(RemoveRecoveryCodes(txn, user_id));
  DT_RETURN_IF_ERROR(RemovePendingFactor(txn, user_id));
  return txn.Run("DELETE FROM factor_networks WHERE user_id = $1", {user_id}).status();
}

}  // namespace

absl::StatusOr<SealedFactor> TotpFactors::Seal(const std::string& user_id,
                                               std::span<const std::uint8_t> secret) {
  if (secret.size() < kTotpSecretBytesMin || secret.size() > kTotpSecretBytesMax) {
    return rpc::MakeError(
        absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
        fmt::format("a TOTP secret has {} to {} bytes", kTotpSecretBytesMin, kTotpSecretBytesMax),
        "secret");
  }
  DT_ASSIGN_OR_RETURN(Bytes sealed, pki::Seal(kek_, FactorPurpose(user_id), secret, random_));
  return SealedFactor{user_id, std::move(sealed)};
}

absl::StatusOr<Bytes> TotpFactors::NewSecret() {
  Bytes secret(kNewSecretBytes);
  DT_RETURN_IF_ERROR(random_.Fill(secret));
  return secret;
}

absl::StatusOr<bool> TotpFactors::Has(db::Transaction& txn, const std::string& user_id,
                                      std::span<const std::uint8_t> secret) const {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT sealed_secret FROM factors WHERE user_id = $1", {user_id}));
  if (rows.empty()) return false;
  absl::StatusOr<Bytes> known = pki::Open(kek_, FactorPurpose(user_id), db::Blob(rows[0][0]));
  if (!known.ok()) return false;  // Of another key: whatever it was, nobody can use it.
  const bool same = std::ranges::equal(*known, secret);
  pki::Wipe(*known);
  return same;
}

absl::Status TotpFactors::Store(db::Transaction& txn, const SealedFactor& factor) {
  DT_RETURN_IF_ERROR(ForgetWithFactor(txn, factor.user_id));
  return txn
      .Run(
          "INSERT INTO factors (user_id, sealed_secret, last_step, failures, blocked_until)"
          " VALUES ($1, $2, -1, 0, 0) ON CONFLICT (user_id) DO UPDATE SET"
          " sealed_secret = excluded.sealed_secret, last_step = -1, failures = 0,"
          " blocked_until = 0",
          {factor.user_id, factor.sealed})
      .status();
}

absl::Status TotpFactors::Remove(db::Transaction& txn, const std::string& user_id) {
  DT_RETURN_IF_ERROR(ForgetWithFactor(txn, user_id));
  return txn.Run("DELETE FROM factors WHERE user_id = $1", {user_id}).status();
}

absl::StatusOr<bool> TotpFactors::StoreIfShown(db::Transaction& txn, const SealedFactor& factor,
                                               const FactorAttempt& attempt, WallTime now) const {
  DT_ASSIGN_OR_RETURN(Bytes secret, pki::Open(kek_, FactorPurpose(factor.user_id), factor.sealed));
  const std::optional<std::int64_t> step = FindTotpStep(secret, attempt.code, now);
  pki::Wipe(secret);
  if (!step) return false;
  DT_RETURN_IF_ERROR(Store(txn, factor));
  DT_RETURN_IF_ERROR(
      txn.Run("UPDATE factors SET last_step = $2 WHERE user_id = $1", {factor.user_id, *step})
          .status());
  DT_RETURN_IF_ERROR(RememberNetwork(txn, factor.user_id, Shown::kFactor, attempt.network, now));
  return true;
}

absl::StatusOr<std::optional<std::int64_t>> TotpFactors::WrongCodes(db::Transaction& txn,
                                                                    const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT failures FROM factors WHERE user_id = $1", {user_id}));
  if (rows.empty()) return std::optional<std::int64_t>();
  return std::optional(db::Int(rows.front()[0]));
}

struct TotpFactors::Failures {
  std::int64_t of_factor = 0;
  std::int64_t of_network = 0;
};

absl::StatusOr<FactorAnswer> TotpFactors::Verify(db::Transaction& txn, const FactorAttempt& attempt,
                                                 WallTime now) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT f.sealed_secret, f.last_step, f.failures, n.failures, n.paused_until"
              " FROM factors f LEFT JOIN factor_networks n ON n.user_id = f.user_id"
              " AND n.network = $2 WHERE f.user_id = $1",
              {attempt.user_id, attempt.network}));
  if (rows.empty()) return FactorAnswer{FactorVerdict::kNotEnrolled};
  const db::Row& row = rows.front();
  const Failures before{db::Int(row[2]), db::IsNull(row[3]) ? 0 : db::Int(row[3])};
  const std::chrono::seconds pause(db::IsNull(row[4]) ? 0 : db::Int(row[4]) - UnixSeconds(now));
  // One longer than the longest is of a clock that was set back since.
  if (pause > std::chrono::seconds(0) && pause <= limits_.pause_max) {
    return FactorAnswer{FactorVerdict::kThrottled, pause};
  }
  if (attempt.recovery) return CheckRecovery(txn, attempt, before, now);
  if (before.of_factor >= limits_.failures_max) {
    DT_ASSIGN_OR_RETURN(const bool known,
                        IsKnownNetwork(txn, attempt.user_id, Shown::kFactor, attempt.network, now));
    if (!known || before.of_network >= limits_.failures_max) {
      return FactorAnswer{FactorVerdict::kLocked};
    }
  }
  DT_ASSIGN_OR_RETURN(Bytes secret,
                      pki::Open(kek_, FactorPurpose(attempt.user_id), db::Blob(row[0])));
  const std::optional<std::int64_t> step = FindTotpStep(secret, attempt.code, now);
  pki::Wipe(secret);
  if (step && *step > db::Int(row[1])) {
    DT_RETURN_IF_ERROR(
        txn.Run("UPDATE factors SET last_step = $2 WHERE user_id = $1", {attempt.user_id, *step})
            .status());
    return Accept(txn, attempt, now);
  }
  // A code that was right once may be a second click as well as an eavesdropper: it counts
  // like a wrong one.
  DT_ASSIGN_OR_RETURN(FactorAnswer answer, Count(txn, attempt, before, now));
  answer.verdict = step ? FactorVerdict::kReused : FactorVerdict::kWrong;
  return answer;
}

// Not even a lock is in its way: it protects six digits, which are guessed in time. Wrong ones
// count as wrong codes do.
absl::StatusOr<FactorAnswer> TotpFactors::CheckRecovery(db::Transaction& txn,
                                                        const FactorAttempt& attempt,
                                                        const Failures& before,
                                                        WallTime now) const {
  DT_ASSIGN_OR_RETURN(const auto found, FindRecoveryCode(txn, attempt.user_id, attempt.code));
  if (!found || found->used_at) {
    DT_ASSIGN_OR_RETURN(FactorAnswer answer, Count(txn, attempt, before, now));
    answer.verdict = found ? FactorVerdict::kReused : FactorVerdict::kWrong;
    return answer;
  }
  DT_RETURN_IF_ERROR(SpendRecoveryCode(txn, attempt.user_id, *found, now));
  DT_ASSIGN_OR_RETURN(FactorAnswer answer, Accept(txn, attempt, now));
  DT_ASSIGN_OR_RETURN(answer.recovery_codes_left, CountRecoveryCodes(txn, attempt.user_id));
  return answer;
}

absl::StatusOr<bool> TotpFactors::TookLast(db::Transaction& txn, const FactorAttempt& attempt,
                                           WallTime taken_at) {
  if (attempt.recovery) {
    DT_ASSIGN_OR_RETURN(const auto found, FindRecoveryCode(txn, attempt.user_id, attempt.code));
    return found && found->used_at && UnixMillis(*found->used_at) == UnixMillis(taken_at);
  }
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT sealed_secret, last_step FROM factors WHERE user_id = $1",
                              {attempt.user_id}));
  if (rows.empty()) return false;
  DT_ASSIGN_OR_RETURN(Bytes secret,
                      pki::Open(kek_, FactorPurpose(attempt.user_id), db::Blob(rows[0][0])));
  const std::optional<std::int64_t> step = FindTotpStep(secret, attempt.code, taken_at);
  pki::Wipe(secret);
  return step == db::Int(rows[0][1]);
}

absl::StatusOr<FactorAnswer> TotpFactors::Accept(db::Transaction& txn, const FactorAttempt& attempt,
                                                 WallTime now) const {
  DT_RETURN_IF_ERROR(
      txn.Run("UPDATE factors SET failures = 0 WHERE user_id = $1", {attempt.user_id}).status());
  DT_RETURN_IF_ERROR(txn.Run("DELETE FROM factor_networks WHERE user_id = $1 AND network = $2",
                             {attempt.user_id, attempt.network})
                         .status());
  DT_RETURN_IF_ERROR(RememberNetwork(txn, attempt.user_id, Shown::kFactor, attempt.network, now));
  return FactorAnswer{FactorVerdict::kAccepted};
}

absl::StatusOr<FactorAnswer> TotpFactors::Count(db::Transaction& txn, const FactorAttempt& attempt,
                                                const Failures& before, WallTime now) const {
  FactorAnswer answer;
  answer.locks = before.of_factor + 1 == limits_.failures_max;
  const std::int64_t of_network = before.of_network + 1;
  if (const std::int64_t beyond = of_network - limits_.network_failures_max; beyond >= 0) {
    answer.retry_after =
        limits_.pause_min * (std::int64_t{1} << std::min<std::int64_t>(beyond, 20));
    answer.retry_after = std::min(answer.retry_after, limits_.pause_max);
  }
  DT_RETURN_IF_ERROR(txn.Run("UPDATE factors SET failures = $2 WHERE user_id = $1",
                             {attempt.user_id, before.of_factor + 1})
                         .status());
  DT_RETURN_IF_ERROR(
      txn.Run("INSERT INTO factor_networks (user_id, network, failures, paused_until, failed_at)"
              " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, network) DO UPDATE SET"
              " failures = excluded.failures, paused_until = excluded.paused_until,"
              " failed_at = excluded.failed_at",
              {attempt.user_id, attempt.network, of_network, UnixSeconds(now + answer.retry_after),
               UnixSeconds(now)})
          .status());
  return answer;
}

absl::Status TotpFactors::PruneNetworks(db::Transaction& txn, WallTime now) {
  return txn
      .Run(
          "DELETE FROM factor_networks WHERE (user_id, network) IN"
          " (SELECT user_id, network FROM factor_networks WHERE failed_at < $1 LIMIT $2)",
          {UnixSeconds(now - kNetworkForgottenAfter), kNetworksPrunedPerCall})
      .status();
}

}  // namespace devicetrust::policy
