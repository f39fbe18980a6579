// One SQL connection and its transactions. The driver (SQLite, PostgreSQL) is chosen by
// URL in Open(); callers write one dialect: $1 parameters, ON CONFLICT, RETURNING, whole
// seconds as BIGINT, BYTEA for binary columns, explicit column lists. Services use
// Database (database.h), which shares connections among threads.
//
// Two words of the dialect are SQLite's, since they spare it a second tree per table; to
// PostgreSQL the first is BIGINT PRIMARY KEY and the second nothing: INTEGER PRIMARY KEY, a key
// that is a number of 64 bits; WITHOUT ROWID, at the end of a table of short rows whose key is
// something else.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
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

// Rolls back on destruction unless Commit() returned OK, so an early `return` on
// an error path can never leave half a change behind.
class Transaction {
 public:
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;

  // Runs one statement; `sql` is a constant of the program, since its compiled form is
  // kept.
  //
  // Errors:
  //   kAlreadyExists      a unique key clashes.
  //   kAborted            lock or serialisation conflict: retry the whole transaction.
  //   kResourceExhausted  the disk, or the store's size limit, is full.
  //   kUnavailable        the disk fails or the store cannot be written.
  //   kDataLoss           the file is damaged.
  //   kInternal           anything else, a wrong statement for one.
  absl::StatusOr<std::vector<Row>> Run(std::string_view sql, std::span<const Value> args = {});
  absl::StatusOr<std::vector<Row>> Run(std::string_view sql, std::initializer_list<Value> args) {
    return Run(sql, std::span<const Value>(args.begin(), args.size()));
  }

  // Only for a transaction of Connection::Begin(); Database commits its own.
  absl::Status Commit();

 private:
  friend class Connection;
  friend class Database;
  explicit Transaction(Connection* connection) : connection_(connection) {}
  Connection* connection_;  // Null once committed or moved from.
};

// "sqlite:/var/lib/dt/ca.db" or "sqlite::memory:". kInvalidArgument: of another form.
absl::Status CheckUrl(const std::string& url);

// One transaction at a time, one thread at a time.
class Connection {
 public:
  enum class Mode {
    kWriter,  // Takes the file for this process.
    kReader,  // Beside a writer of this process; every change is refused.
  };

  virtual ~Connection() = default;

  // `url`: see CheckUrl().
  //
  // Errors:
  //   kInvalidArgument     unknown scheme.
  //   kFailedPrecondition  another process has this SQLite file open.
  //   kNotFound            the file's folder does not exist.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& url,
                                                          Mode mode = Mode::kWriter);

  absl::StatusOr<Transaction> Begin();

  // False when the driver gave up a whole transaction because of an error in it.
  virtual bool InTransaction() const = 0;

  // Rows changed so far, those included that were rolled back: it stands still while
  // statements only read.
  virtual std::int64_t Changes() const = 0;

 protected:
  // One statement; an open transaction is the caller's business.
  virtual absl::StatusOr<std::vector<Row>> Execute(std::string_view sql,
                                                   std::span<const Value> args) = 0;
  // "BEGIN" in the words of this driver and mode.
  virtual std::string_view BeginStatement() const = 0;

 private:
  friend class Transaction;
  friend class Database;

  bool conflict_ = false;  // A statement of the current transaction met a conflict.
};

}  // namespace devicetrust::db
