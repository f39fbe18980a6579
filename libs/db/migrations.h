// The schema of a store as a list of steps, each applied once, in order.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "libs/db/connection.h"

namespace devicetrust::db {

// A step that has been released is never changed: the next one corrects it. Steps only
// add (tables, columns with defaults, indexes), so that the previous release keeps
// running on the newer schema while a deployment is rolled over.
struct Migration {
  int version;  // 1, 2, 3 … without gaps.
  std::string_view name;
  std::vector<std::string_view> statements;
};

// Applies what is missing, each step in one transaction. A store that a newer release has
// migrated further is accepted and logged.
//
// kFailedPrecondition: the store holds another step under a number of ours, so it belongs
// to some other component; the message names both. Otherwise as Transaction::Run.
absl::Status Migrate(Connection& connection, std::span<const Migration> migrations);

// The next value, from 1, of the sequence `name`: one more than the last, or `least` when that
// is larger. Values are given in commit order: the counter's row stays locked until the
// transaction ends, so that a reader who has seen N has seen all up to N.
absl::StatusOr<std::int64_t> NextSequence(Transaction& txn, std::string_view name,
                                          std::int64_t least = 1);

// The last value that was given; 0 before the first.
absl::StatusOr<std::int64_t> LastSequence(Transaction& txn, std::string_view name);

}  // namespace devicetrust::db
