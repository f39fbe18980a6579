// One SQL connection and its transactions, as a driver implements them (sqlite.cc is the one that
// there is; open.h chooses it by URL). Callers write one dialect, the part that SQLite and
// PostgreSQL share: $1 parameters, ON CONFLICT, RETURNING, whole seconds as BIGINT, BYTEA for
// binary columns, explicit column lists. What a table is on disk is not SQL: see Table
// (migrations.h). Services use Database (database.h), which shares connections among threads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust::db {

// A string is text (UTF-8), Bytes are binary (BLOB, bytea): the column says which.
using Value = std::variant<std::nullptr_t, std::int64_t, std::string, Bytes>;
using Row = std::vector<Value>;

// The column's declared type promises the alternative; a NULL is not one of these.
std::int64_t Int(const Value& value);
const std::string& Text(const Value& value);
const Bytes& Blob(const Value& value);
inline bool IsNull(const Value& value) { return std::holds_alternative<std::nullptr_t>(value); }

class Connection;
struct Table;

// Rolls back on destruction unless Commit() returned OK, so an early `return` on
// an error path can never leave half a change behind.
class Transaction {
 public:
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  // Runs one statement. `sql` is one of few texts, whose values come by `args`: compiled forms
  // are kept.
  //
  // A statement that fails has changed nothing, and the transaction must be given up: PostgreSQL
  // takes no more of it.
  //
  // Errors:
  //   kAlreadyExists      a unique key clashes.
  //   kAborted            lock or serialisation conflict: repeat the whole transaction, later.
  //   kResourceExhausted  the disk, or the store's size limit, is full.
  //   kUnavailable        the disk fails or the store cannot be written.
  //   kDataLoss           the file is damaged.
  //   kInternal           anything else, a wrong statement for one.
  absl::StatusOr<std::vector<Row>> Run(std::string_view sql, std::span<const Value> args = {});
  absl::StatusOr<std::vector<Row>> Run(std::string_view sql, std::initializer_list<Value> args) {
    return Run(sql, std::span<const Value>(args.begin(), args.size()));
  }

  // The same for a statement that returns no rows: whether it changed any, which is how an
  // ON CONFLICT DO NOTHING says what it found. SQLite builds a table for a RETURNING, which costs
  // as much as a small insertion.
  absl::StatusOr<bool> Change(std::string_view sql, std::initializer_list<Value> args);

  // Once the transaction is durable, those hear of it who watch `topic`, a constant of the
  // program (Database::WatchTopic). Nobody does when it is undone.
  void Announce(std::string_view topic);

  // Only for a transaction of Connection::Begin(); Database commits its own. After an error the
  // transaction is over, and a crash decides whether a later owner of the store finds all of it
  // or nothing: see docs/adr/0020.
  absl::Status Commit();

 private:
  friend class Connection;
  friend class Database;
  explicit Transaction(Connection* connection) : connection_(connection) {}

  Connection* connection_;                // Null once committed or moved from.
  bool changed_ = false;                  // Some statement changed rows.
  std::vector<std::string_view> topics_;  // Announced so far.
};

// One transaction at a time, one thread at a time.
class Connection {
 public:
  enum class Mode {
    kWriter,  // The only one of the store.
    kReader,  // Beside the writer; every change is refused.
  };

  virtual ~Connection() = default;

  absl::StatusOr<Transaction> Begin();

  // "CREATE TABLE …" in the words of this driver.
  virtual std::string CreateTable(const Table& table) const = 0;

  // Caps the store's size; a write beyond it is kResourceExhausted, like a full disk.
  // kInvalidArgument: a kind of store that takes no limit.
  virtual absl::Status LimitBytes(std::int64_t bytes_max);

 protected:
  struct Result {
    std::vector<Row> rows;
    bool changed = false;  // Rows of the store: inserted, updated or deleted.
  };
  // What an open transaction is after a statement.
  enum class State {
    kOpen,    // As before it, when it failed.
    kFailed,  // Takes no statement but ROLLBACK and ROLLBACK TO.
    kOver,    // The store rolled it back.
  };

  virtual absl::Status BeginTransaction() = 0;
  virtual absl::Status CommitTransaction() = 0;
  virtual void RollBackTransaction() = 0;
  virtual State TransactionState() const = 0;
  // SAVEPOINT, ROLLBACK TO and RELEASE among others: standard SQL.
  virtual absl::StatusOr<Result> Execute(std::string_view sql, std::span<const Value> args) = 0;

 private:
  friend class Transaction;
  friend class Database;
};

}  // namespace devicetrust::db
