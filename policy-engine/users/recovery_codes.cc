#include "policy-engine/users/recovery_codes.h"

#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/pki/digest.h"

namespace devicetrust::policy {
namespace {

constexpr std::string_view kRecoveryAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kRecoveryCharacters = 16;  // Of 5 bits each.
constexpr std::size_t kGroup = 4;
constexpr std::size_t kSaltBytes = 16;

std::string HashOf(const std::string& user_id, const Bytes& salt, std::string_view code) {
  const std::string owner = user_id + "/" + std::string(code);
  return HexEncode(pki::HmacSha256(salt, AsBytes(owner)));
}

}  // namespace

absl::StatusOr<NewRecoveryCodes> MakeRecoveryCodes(Random& random) {
  NewRecoveryCodes made;
  made.salt.resize(kSaltBytes);
  DT_RETURN_IF_ERROR(random.Fill(made.salt));
  Bytes bytes(kRecoveryCodes * kRecoveryCharacters);
  DT_RETURN_IF_ERROR(random.Fill(bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % kRecoveryCharacters == 0) {
      made.codes.emplace_back();
    } else if (i % kGroup == 0) {
      made.codes.back() += '-';
    }
    made.codes.back() += kRecoveryAlphabet[bytes[i] % kRecoveryAlphabet.size()];
  }
  return made;
}

absl::Status StoreRecoveryCodes(db::Transaction& txn, const std::string& user_id,
                                const NewRecoveryCodes& codes) {
  DT_RETURN_IF_ERROR(RemoveRecoveryCodes(txn, user_id));
  for (const std::string& code : codes.codes) {
    DT_RETURN_IF_ERROR(txn.Run("INSERT INTO recovery_codes (user_id, hash, salt, used_at_ms)"
                               " VALUES ($1, $2, $3, 0)",
                               {user_id, HashOf(user_id, codes.salt, *TypedCode(code)), codes.salt})
                           .status());
  }
  return absl::OkStatus();
}

absl::Status RemoveRecoveryCodes(db::Transaction& txn, const std::string& user_id) {
  return txn.Run("DELETE FROM recovery_codes WHERE user_id = $1", {user_id}).status();
}

absl::StatusOr<std::int32_t> CountRecoveryCodes(db::Transaction& txn, const std::string& user_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at_ms = 0",
              {user_id}));
  return static_cast<std::int32_t>(db::Int(rows.front()[0]));
}

absl::StatusOr<std::optional<FoundRecoveryCode>> FindRecoveryCode(db::Transaction& txn,
                                                                  const std::string& user_id,
                                                                  std::string_view typed) {
  const std::optional<std::string> code = TypedCode(typed);
  if (!code || code->size() != kRecoveryCharacters) return std::optional<FoundRecoveryCode>();
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT hash, salt, used_at_ms FROM recovery_codes WHERE user_id = $1", {user_id}));
  std::optional<FoundRecoveryCode> found;
  for (const db::Row& row : rows) {
    const std::string hash = HashOf(user_id, db::Blob(row[1]), *code);
    if (!pki::ConstantTimeEquals(std::string_view(hash), std::string_view(db::Text(row[0])))) {
      continue;
    }
    found.emplace(FoundRecoveryCode{hash, std::nullopt});
    if (db::Int(row[2]) > 0) found->used_at = AtUnixMillis(db::Int(row[2]));
  }
  return found;
}

absl::Status SpendRecoveryCode(db::Transaction& txn, const std::string& user_id,
                               const FoundRecoveryCode& code, WallTime now) {
  return txn
      .Run("UPDATE recovery_codes SET used_at_ms = $3 WHERE user_id = $1 AND hash = $2",
           {user_id, code.hash, UnixMillis(now)})
      .status();
}

}  // namespace devicetrust::policy
