// Second factors: TOTP secrets, sealed at rest, and each code good once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "libs/pki/aead.h"
#include "policy-engine/users/factor_check.h"

namespace devicetrust::policy {

// How many wrong codes a factor bears. Whoever guesses knows the password already, and six digits
// with three good codes at a time are guessed in 10^6 / 3 tries.
struct FactorLimits {
  // In a row, from wherever: then the factor is locked until an administrator gives another one. At
  // a network where the user has shown a right code lately it still works, and a right code there
  // ends the row: a stranger elsewhere shuts no owner out. So does a recovery code at any network,
  // since nobody guesses one.
  std::int64_t failures_max = 100;
  // In a row from one network: then it must wait, at first `pause_min`, and twice as long after
  // each further one.
  std::int64_t network_failures_max = 5;
  std::chrono::seconds pause_min{60};
  std::chrono::seconds pause_max{3600};
};

// A secret ready to be stored. Sealing needs randomness and time, so it happens before the
// transaction, for the id that the user has or will get.
struct SealedFactor {
  std::string user_id;
  Bytes sealed;
};

// Thread-safe. `kek` and `random` outlive it.
class TotpFactors final : public FactorCheck {
 public:
  TotpFactors(const pki::AeadKey& kek, Random& random, FactorLimits limits = {})
      : kek_(kek), random_(random), limits_(limits) {}

  // kInvalidArgument: `secret` is not 16 to 64 bytes.
  absl::StatusOr<SealedFactor> Seal(const std::string& user_id,
                                    std::span<const std::uint8_t> secret);
  // 20 random bytes, as RFC 4226 recommends.
  absl::StatusOr<Bytes> NewSecret();

  // Whether the user's factor has this secret.
  absl::StatusOr<bool> Has(db::Transaction& txn, const std::string& user_id,
                           std::span<const std::uint8_t> secret) const;
  // Gives the user this factor instead of an older one, of which recovery codes go, as does an
  // enrollment that somebody has begun; it has no failures.
  static absl::Status Store(db::Transaction& txn, const SealedFactor& factor);
  static absl::Status Remove(db::Transaction& txn, const std::string& user_id);

  // Store(), when `attempt` shows a code of this factor, which is spent with it. False: it does
  // not, and nothing is stored.
  absl::StatusOr<bool> StoreIfShown(db::Transaction& txn, const SealedFactor& factor,
                                    const FactorAttempt& attempt, WallTime now) const;

  // Wrong codes in a row; nothing: the user has no factor.
  static absl::StatusOr<std::optional<std::int64_t>> WrongCodes(db::Transaction& txn,
                                                                const std::string& user_id);
  const FactorLimits& limits() const { return limits_; }

  // Spends the step of an accepted code (RFC 6238, section 5.2). Errors are the store's, and
  // kPermissionDenied: sealed under another key-encryption key.
  absl::StatusOr<FactorAnswer> Verify(db::Transaction& txn, const FactorAttempt& attempt,
                                      WallTime now) override;
  absl::StatusOr<bool> TookLast(db::Transaction& txn, const FactorAttempt& attempt,
                                WallTime taken_at) override;

  // Forgets networks that no wrong code has come from for a day.
  static absl::Status PruneNetworks(db::Transaction& txn, WallTime now);

 private:
  struct Failures;  // So far: of the factor, of the network.

  absl::StatusOr<FactorAnswer> CheckRecovery(db::Transaction& txn, const FactorAttempt& attempt,
                                             const Failures& before, WallTime now) const;
  // The owner is there: no failure of before counts any more.
  absl::StatusOr<FactorAnswer> Accept(db::Transaction& txn, const FactorAttempt& attempt,
                                      WallTime now) const;
  absl::StatusOr<FactorAnswer> Count(db::Transaction& txn, const FactorAttempt& attempt,
                                     const Failures& before, WallTime now) const;

  const pki::AeadKey& kek_;
  Random& random_;
  const FactorLimits limits_;
};

}  // namespace devicetrust::policy
