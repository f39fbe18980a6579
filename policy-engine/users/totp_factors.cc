#include "policy-engine/users/totp_factors.h"

#include <fmt/format.h>

#include <optional>

#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "policy-engine/users/totp.h"

namespace devicetrust::policy {
namespace {

constexpr std::size_t kNewSecretBytes = 20;  // RFC 4226, section 4: as long as the hash.

std::string FactorPurpose(const std::string& user_id) { return "org.totp_secret/" + user_id; }

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

absl::Status TotpFactors::Store(db::Transaction& txn, const SealedFactor& factor) {
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
  return txn.Run("DELETE FROM factors WHERE user_id = $1", {user_id}).status();
}

absl::StatusOr<FactorVerdict> TotpFactors::Verify(db::Transaction& txn, const std::string& user_id,
                                                  std::string_view code, WallTime now) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT sealed_secret, last_step, failures, blocked_until"
                              " FROM factors WHERE user_id = $1",
                              {user_id}));
  if (rows.empty()) return FactorVerdict::kNotEnrolled;
  const db::Row& row = rows.front();
  if (db::Int(row[3]) > UnixSeconds(now)) return FactorVerdict::kThrottled;

  DT_ASSIGN_OR_RETURN(Bytes secret, pki::Open(kek_, FactorPurpose(user_id), db::Blob(row[0])));
  const std::optional<std::int64_t> step = FindTotpStep(secret, code, now);
  pki::Wipe(secret);
  if (step && *step > db::Int(row[1])) {
    DT_RETURN_IF_ERROR(txn.Run("UPDATE factors SET last_step = $2, failures = 0 WHERE user_id = $1",
                               {user_id, *step})
                           .status());
    return FactorVerdict::kAccepted;
  }
  // A code that was right once may be a second click as well as an eavesdropper: it counts
  // like a wrong one.
  const std::int64_t failures = db::Int(row[2]) + 1;
  const bool pause = failures >= kFactorFailuresInRowMax;
  const std::int64_t until = pause ? UnixSeconds(now + kFactorPause) : 0;
  DT_RETURN_IF_ERROR(
      txn.Run("UPDATE factors SET failures = $2, blocked_until = $3 WHERE user_id = $1",
              {user_id, pause ? std::int64_t{0} : failures, until})
          .status());
  return step ? FactorVerdict::kReused : FactorVerdict::kWrong;
}

}  // namespace devicetrust::policy
