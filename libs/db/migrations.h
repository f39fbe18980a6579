// The schema of a store as a list of steps, each applied once, in order.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "libs/db/connection.h"

namespace devicetrust::db {

// A new table. What differs between kinds of stores is data, not SQL text.
struct Table {
  std::string_view name;
  // The name of a column for the primary key, a whole number of 64 bits; it comes before `columns`.
  // Such a key costs SQLite no second tree. Empty: `columns` say what the key is.
  std::string_view number_key = {};
  // Columns and constraints in SQL, as between the parentheses of CREATE TABLE.
  std::string_view columns;
  // Rows lie in the tree of the primary key, which `columns` declare: for short ones. A wish: a
  // driver that cannot (PostgreSQL) leaves it.
  bool clustered = false;
  bool if_missing = false;  // A table of this name that is there already stays as it is.
};

// A step that has been released is never changed: the next one corrects it. Steps only
// add (tables, columns with defaults, indexes), so that the previous release keeps
// running on the newer schema while a deployment is rolled over.
struct Migration {
  int version;  // 1, 2, 3 … without gaps.
  std::string_view name;
  std::vector<Table> tables;
  std::vector<std::string_view> statements = {};  // Run after the tables are there.
};

// Applies what is missing, each step in one transaction. A store that a newer release has
// migrated further is accepted and logged.
//
// kFailedPrecondition: the store holds another step under a number of ours, so it belongs
// to some other component; the message names both. Otherwise as Transaction::Run.
absl::Status Migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace devicetrust::db
