#include "libs/db/sequence.h"

#include <string>

namespace devicetrust::db {

absl::StatusOr<std::int64_t> NextSequence(Transaction& txn, std::string_view name,
                                          std::int64_t least) {
  return NextSequences(txn, name, 1, least);
}

absl::StatusOr<std::int64_t> NextSequences(Transaction& txn, std::string_view name,
                                           std::int64_t count, std::int64_t least) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("INSERT INTO sequences (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE"
              " SET value = CASE WHEN sequences.value + $3 < $2 THEN $2"
              " ELSE sequences.value + $3 END RETURNING value",
              {std::string(name), least + count - 1, count}));
  if (rows.size() != 1) return absl::InternalError("sequence returned no value");
  return Int(rows[0][0]) - count + 1;
}

absl::StatusOr<std::int64_t> LastSequence(Transaction& txn, std::string_view name) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT value FROM sequences WHERE name = $1", {std::string(name)}));
  return rows.empty() ? 0 : Int(rows[0][0]);
}

}  // namespace devicetrust::db
