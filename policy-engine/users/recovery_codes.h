// Codes for the day when the telephone is gone: each good once in place of a code of the factor. Of
// 80 random bits, so that hashes of them keep them as well as anything, and nobody guesses one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

inline constexpr std::size_t kRecoveryCodes = 10;

// Made before the transaction that stores their hashes: they are told to the user once.
struct NewRecoveryCodes {
  std::vector<std::string> codes;  // "7F3K-9QXD-2MBP-0V4T"
  Bytes salt;                      // Of this user's.
};
absl::StatusOr<NewRecoveryCodes> MakeRecoveryCodes(Random& random);

// Instead of those of before.
absl::Status StoreRecoveryCodes(db::Transaction& txn, const std::string& user_id,
                                const NewRecoveryCodes& codes);
absl::Status RemoveRecoveryCodes(db::Transaction& txn, const std::string& user_id);
absl::StatusOr<std::int32_t> CountRecoveryCodes(db::Transaction& txn, const std::string& user_id);

// One of the user's codes that somebody typed, in whatever case, with blanks and dashes or without.
struct FoundRecoveryCode {
  std::string hash;
  std::optional<WallTime> used_at;  // In whole milliseconds.
};
// Nothing: it is none of them.
absl::StatusOr<std::optional<FoundRecoveryCode>> FindRecoveryCode(db::Transaction& txn,
                                                                  const std::string& user_id,
                                                                  std::string_view typed);
absl::Status SpendRecoveryCode(db::Transaction& txn, const std::string& user_id,
                               const FoundRecoveryCode& code, WallTime now);

}  // namespace devicetrust::policy
