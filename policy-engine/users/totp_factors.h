// Second factors: TOTP secrets, sealed at rest, and each code good once.
#pragma once

#include <cstdint>
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

// After this many wrong codes in a row, in whatever sign-ons, a factor takes none for
// kFactorPause: six digits are guessed in 10^6 / 3 tries. (A single decision allows fewer.)
inline constexpr std::int64_t kFactorFailuresInRowMax = 10;
inline constexpr std::chrono::seconds kFactorPause{60};

// A secret ready to be stored. Sealing needs randomness and time, so it happens before the
// transaction, for the id that the user has or will get.
struct SealedFactor {
  std::string user_id;
  Bytes sealed;
};

// Thread-safe. `kek` and `random` outlive it.
class TotpFactors final : public FactorCheck {
 public:
  TotpFactors(const pki::AeadKey& kek, Random& random) : kek_(kek), random_(random) {}

  // kInvalidArgument: `secret` is not 16 to 64 bytes.
  absl::StatusOr<SealedFactor> Seal(const std::string& user_id,
                                    std::span<const std::uint8_t> secret);
  // 20 random bytes, as RFC 4226 recommends.
  absl::StatusOr<Bytes> NewSecret();

  // Gives the user this factor instead of an older one.
  static absl::Status Store(db::Transaction& txn, const SealedFactor& factor);
  static absl::Status Remove(db::Transaction& txn, const std::string& user_id);

  // Spends the step of an accepted code (RFC 6238, section 5.2). Errors are the store's, and
  // kPermissionDenied: sealed under another key-encryption key.
  absl::StatusOr<FactorVerdict> Verify(db::Transaction& txn, const std::string& user_id,
                                       std::string_view code, WallTime now) override;

 private:
  const pki::AeadKey& kek_;
  Random& random_;
};

}  // namespace devicetrust::policy
