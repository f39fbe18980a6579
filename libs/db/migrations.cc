#include "libs/db/migrations.h"

#include <fmt/format.h>

#include <map>
#include <string>

#include "libs/base/log.h"

namespace devicetrust::db {
namespace {

// Two tables of every store: the steps that it has had, and its counters (sequence.h).
constexpr Table kOwnTables[] = {
    {.name = "schema_migrations",
     .number_key = "version",
     .columns = "name TEXT NOT NULL",
     .if_missing = true},
    {.name = "sequences",
     .columns = "name TEXT PRIMARY KEY, value BIGINT NOT NULL",
     .clustered = true,
     .if_missing = true},
};

absl::StatusOr<std::map<int, std::string>> AppliedSteps(Connection& connection) {
  DT_ASSIGN_OR_RETURN(Transaction txn, connection.Begin());
  for (const Table& table : kOwnTables) {
    DT_RETURN_IF_ERROR(txn.Run(connection.CreateTable(table)).status());
  }
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT version, name FROM schema_migrations"));
  std::map<int, std::string> applied;
  for (const Row& row : rows) applied[static_cast<int>(Int(row[0]))] = Text(row[1]);
  DT_RETURN_IF_ERROR(txn.Commit());
  return applied;
}

absl::Status ApplyStep(Connection& connection, const Migration& step) {
  DT_ASSIGN_OR_RETURN(Transaction txn, connection.Begin());
  for (const Table& table : step.tables) {
    DT_RETURN_IF_ERROR(txn.Run(connection.CreateTable(table)).status());
  }
  for (const std::string_view statement : step.statements) {
    DT_RETURN_IF_ERROR(txn.Run(statement).status());
  }
  DT_RETURN_IF_ERROR(txn.Run("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
                             {std::int64_t{step.version}, std::string(step.name)})
                         .status());
  return txn.Commit();
}

}  // namespace

absl::Status Migrate(Connection& connection, std::span<const Migration> migrations) {
  DT_ASSIGN_OR_RETURN(const auto applied, AppliedSteps(connection));
  for (const Migration& step : migrations) {
    const auto found = applied.find(step.version);
    if (found == applied.end()) {
      DT_RETURN_IF_ERROR(ApplyStep(connection, step));
    } else if (found->second != step.name) {
      return absl::FailedPreconditionError(fmt::format(
          "the store's schema step {} is \"{}\" where \"{}\" was expected: it belongs to another"
          " component, give this one a store of its own",
          step.version, found->second, step.name));
    }
  }
  const int known = migrations.empty() ? 0 : migrations.back().version;
  if (!applied.empty() && applied.rbegin()->first > known) {
    Log(LogLevel::kWarning, "db.schema.newer",
        {{"store_version", applied.rbegin()->first}, {"known_version", known}});
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::db
