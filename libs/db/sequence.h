// Numbers that the store gives, each once and in commit order: positions of events, of
// revocations, of whatever somebody reads on from.
#pragma once

#include <cstdint>
#include <string_view>

#include "libs/db/connection.h"

namespace devicetrust::db {

// The next value, from 1, of the sequence `name`: one more than the last, or `least` when that
// is larger. Values are given in commit order: the counter's row stays locked until the
// transaction ends, so that a reader who has seen N has seen all up to N.
absl::StatusOr<std::int64_t> NextSequence(Transaction& txn, std::string_view name,
                                          std::int64_t least = 1);

// The same for `count` values in a row, at least one: returns the first of them.
absl::StatusOr<std::int64_t> NextSequences(Transaction& txn, std::string_view name,
                                           std::int64_t count, std::int64_t least = 1);

// The last value that was given; 0 before the first.
absl::StatusOr<std::int64_t> LastSequence(Transaction& txn, std::string_view name);

}  // namespace devicetrust::db
