#include "libs/db/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <unordered_map>
#include <utility>

#include "libs/base/file_lock.h"
#include "libs/db/migrations.h"

namespace devicetrust::db {
namespace {

struct SqliteCloser {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using DbPtr = std::unique_ptr<sqlite3, SqliteCloser>;
using StatementPtr = std::unique_ptr<sqlite3_stmt, SqliteCloser>;

// Callers of a service may see all but kInternal: no path and no SQL in those.
absl::Status SqliteError(sqlite3* db) {
  const int code = sqlite3_extended_errcode(db);
  const std::string message = fmt::format("sqlite {}: {}", code, sqlite3_errmsg(db));
  switch (code) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE:
      return absl::AlreadyExistsError(message);
    default:
      break;
  }
  // Of the file that readers and writer share: it could not grow.
  switch (code == SQLITE_IOERR_SHMSIZE ? SQLITE_FULL : code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::AbortedError(message);
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          "the store is full: free disk space or raise its size limit, then retry");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return absl::UnavailableError(
          fmt::format("the store's disk fails ({}): check the disk and its file system", message));
    case SQLITE_READONLY:
      return absl::UnavailableError(
          "the store cannot be written: check the file's owner, its mode and the mount");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError("the store's file is damaged: restore it from a backup");
    default:
      return absl::InternalError(message);
  }
}

constexpr std::string_view kMemory = ":memory:";

struct TextHash {  // Finds a std::string by a std::string_view.
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

enum class Kind { kAny, kNumber, kText, kBytes };

// Of the type that a table declares; null: of an expression.
Kind KindOf(const char* declared) {
  const std::string_view type = declared == nullptr ? "" : declared;
  if (type == "BIGINT" || type == "INTEGER") return Kind::kNumber;
  if (type == "TEXT") return Kind::kText;
  return type == "BYTEA" ? Kind::kBytes : Kind::kAny;
}

// Whether Execute() changed rows is what its count of them says, so a CREATE TABLE did not.
class SqliteConnection final : public Connection {
 public:
  SqliteConnection(Mode mode, DbPtr db) : mode_(mode), db_(std::move(db)) {}

  // Durable once COMMIT returns, also after a power cut: that is what FULL is for. The
  // write-ahead log is folded back every 32 MiB, which keeps its cost off most commits: by then
  // most pages have changed more than once. The cache holds what keys in random order touch.
  absl::Status Configure() {
    sqlite3_busy_timeout(db_.get(), 5000);
    if (mode_ == Mode::kReader) return Execute("PRAGMA query_only=ON", {}).status();
    for (const char* pragma :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON",
          "PRAGMA wal_autocheckpoint=8192", "PRAGMA journal_size_limit=67108864",
          "PRAGMA temp_store=MEMORY", "PRAGMA cache_size=-16384"}) {
      DT_RETURN_IF_ERROR(Execute(pragma, {}).status());
    }
    return absl::OkStatus();
  }

  std::string CreateTable(const Table& table) const override {
    return fmt::format(
        "CREATE TABLE {}{} ({}{}){}", table.if_missing ? "IF NOT EXISTS " : "", table.name,
        table.number_key.empty() ? "" : fmt::format("{} INTEGER PRIMARY KEY, ", table.number_key),
        table.columns, table.clustered ? " WITHOUT ROWID" : "");
  }

  absl::Status LimitBytes(std::int64_t bytes_max) override {
    DT_ASSIGN_OR_RETURN(const auto page, Execute("PRAGMA page_size", {}));
    const std::int64_t pages = std::max<std::int64_t>(1, bytes_max / Int(page.rows.at(0).at(0)));
    return Execute(fmt::format("PRAGMA max_page_count={}", pages), {}).status();
  }

 private:
  absl::Status BeginTransaction() override {
    return Execute(mode_ == Mode::kWriter ? "BEGIN IMMEDIATE" : "BEGIN", {}).status();
  }
  absl::Status CommitTransaction() override { return Execute("COMMIT", {}).status(); }
  void RollBackTransaction() override {
    if (TransactionState() == State::kOpen) Execute("ROLLBACK", {}).IgnoreError();
  }
  State TransactionState() const override {
    return sqlite3_get_autocommit(db_.get()) == 0 ? State::kOpen : State::kOver;
  }

  absl::StatusOr<Result> Execute(std::string_view sql, std::span<const Value> args) override {
    DT_ASSIGN_OR_RETURN(const Kept* const kept, Prepare(sql));
    sqlite3_stmt* const statement = kept->statement.get();
    // An open statement holds its read lock, and bound values outlive their owner.
    const std::unique_ptr<sqlite3_stmt, void (*)(sqlite3_stmt*)> reset(
        statement, [](sqlite3_stmt* used) {
          sqlite3_reset(used);
          sqlite3_clear_bindings(used);
        });
    for (std::size_t i = 0; i < kept->parameters.size(); ++i) {
      const std::size_t number = kept->parameters[i];
      if (number > args.size()) {
        return absl::InternalError(fmt::format("no value for ${} of: {}", number, sql));
      }
      if (Bind(statement, static_cast<int>(i) + 1, args[number - 1]) != SQLITE_OK) {
        return SqliteError(db_.get());
      }
    }

    const sqlite3_int64 before = sqlite3_total_changes64(db_.get());
    Result result;
    int step = SQLITE_DONE;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
      result.rows.push_back(ReadRow(statement));
      DT_RETURN_IF_ERROR(CheckKinds(*kept, result.rows.back()));
    }
    if (step != SQLITE_DONE) return SqliteError(db_.get());
    result.changed = sqlite3_total_changes64(db_.get()) != before;
    return result;
  }

  struct Kept {
    StatementPtr statement;
    // To SQLite "$2" is a name, numbered by where it first stands; to PostgreSQL it is the
    // second value. So: the value's number, for each parameter in SQLite's order.
    std::vector<std::size_t> parameters;
    // What its table declares each column of a row to hold; kAny where it is an expression.
    std::vector<Kind> kinds;
  };

  // SQLite keeps in a column whatever somebody puts there. Ours hold what the table says, so
  // anything else was put there by another program, or by a disk.
  static absl::Status CheckKinds(const Kept& kept, const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const Kind kind = kept.kinds[i];
      const bool fits = kind == Kind::kAny || IsNull(row[i]) ||
                        (kind == Kind::kNumber && std::holds_alternative<std::int64_t>(row[i])) ||
                        (kind == Kind::kText && std::holds_alternative<std::string>(row[i])) ||
                        (kind == Kind::kBytes && std::holds_alternative<Bytes>(row[i]));
      if (fits) continue;
      return absl::DataLossError(fmt::format(
          "the store is damaged or was changed by another program: its column {} holds a value"
          " of another type",
          sqlite3_column_name(kept.statement.get(), static_cast<int>(i))));
    }
    return absl::OkStatus();
  }

  // Compiles each text once: parsing costs more than most of our statements do.
  absl::StatusOr<const Kept*> Prepare(std::string_view sql) {
    if (const auto found = statements_.find(sql); found != statements_.end()) {
      return &found->second;
    }
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
      return SqliteError(db_.get());
    }
    Kept kept{StatementPtr(raw), {}, {}};
    for (int i = 0; i < sqlite3_column_count(raw); ++i) {
      kept.kinds.push_back(KindOf(sqlite3_column_decltype(raw, i)));
    }
    for (int i = 1; i <= sqlite3_bind_parameter_count(raw); ++i) {
      const char* const name = sqlite3_bind_parameter_name(raw, i);  // "$2", borrowed.
      const int number = name != nullptr && name[0] == '$' ? std::atoi(name + 1) : 0;
      if (number < 1) return absl::InternalError(fmt::format("parameters must be $N in: {}", sql));
      kept.parameters.push_back(static_cast<std::size_t>(number));
    }
    return &statements_.emplace(sql, std::move(kept)).first->second;
  }

  static int Bind(sqlite3_stmt* statement, int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      return sqlite3_bind_int64(statement, index, *number);
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
      return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC,
                                 SQLITE_UTF8);
    }
    if (const auto* bytes = std::get_if<Bytes>(&value)) {
      // A null pointer would bind NULL; an empty BLOB is a value.
      return bytes->empty() ? sqlite3_bind_zeroblob(statement, index, 0)
                            : sqlite3_bind_blob64(statement, index, bytes->data(), bytes->size(),
                                                  SQLITE_STATIC);
    }
    return sqlite3_bind_null(statement, index);
  }

  static Row ReadRow(sqlite3_stmt* statement) {
    const int count = sqlite3_column_count(statement);
    Row row;
    row.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      const int type = sqlite3_column_type(statement, i);
      if (type == SQLITE_INTEGER) {
        row.emplace_back(std::int64_t{sqlite3_column_int64(statement, i)});
        continue;
      }
      if (type == SQLITE_NULL) {
        row.emplace_back(nullptr);
        continue;
      }
      // Asked of a number, it would make a text of it first.
      const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, i));
      const std::span bytes(data, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      if (type == SQLITE_BLOB) {
        row.emplace_back(Bytes(bytes.begin(), bytes.end()));
      } else {
        row.emplace_back(ToString(bytes));
      }
    }
    return row;
  }

  const Mode mode_;
  DbPtr db_;
  std::unordered_map<std::string, Kept, TextHash, std::equal_to<>> statements_;  // By SQL text.
};

// Secrets lie in some stores. The log files beside it take the mode of this one.
absl::Status CreatePrivately(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::PermissionDeniedError(
        fmt::format("cannot create {}: {}", path, std::strerror(errno)));
  }
  close(fd);
  return absl::OkStatus();
}

// An earlier owner may have died of a sync that failed. Its log can then hold a commit that reads
// well, from the memory of the kernel, and is not on the disk: what is appended to it would be
// lost with it in a power cut (docs/adr/0020). So each byte of the log is written again, which
// makes it wait for a sync once more. Nobody else has the store open. After a clean end there is
// no log.
absl::Status WriteLogAgain(const std::string& path) {
  const absl::Status failed = absl::UnavailableError(
      "the store's log cannot be made durable: check the disk and its file system");
  sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  std::string log(static_cast<std::size_t>(vfs->mxPathname) + 1, '\0');
  if (vfs->xFullPathname(vfs, path.c_str(), vfs->mxPathname, log.data()) != SQLITE_OK) {
    return failed;
  }
  log = std::string(log.c_str()) + "-wal";
  std::error_code missing;
  if (std::filesystem::file_size(log, missing) == 0 || missing) return absl::OkStatus();

  const auto memory = std::make_unique<std::max_align_t[]>(
      static_cast<std::size_t>(vfs->szOsFile) / sizeof(std::max_align_t) + 1);
  auto* const file = reinterpret_cast<sqlite3_file*>(memory.get());
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL;
  if (vfs->xOpen(vfs, log.c_str(), file, kFlags, nullptr) != SQLITE_OK) return failed;
  const std::unique_ptr<sqlite3_file, void (*)(sqlite3_file*)> closer(
      file, [](sqlite3_file* open) { open->pMethods->xClose(open); });
  sqlite3_int64 size = 0;
  if (file->pMethods->xFileSize(file, &size) != SQLITE_OK) return failed;
  Bytes block(64 * 1024);  // The system's VFS writes at most 128 KiB at once.
  for (sqlite3_int64 at = 0; at < size; at += static_cast<sqlite3_int64>(block.size())) {
    const int count =
        static_cast<int>(std::min(size - at, static_cast<sqlite3_int64>(block.size())));
    if (file->pMethods->xRead(file, block.data(), count, at) != SQLITE_OK ||
        file->pMethods->xWrite(file, block.data(), count, at) != SQLITE_OK) {
      return failed;
    }
  }
  return file->pMethods->xSync(file, SQLITE_SYNC_FULL) == SQLITE_OK ? absl::OkStatus() : failed;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  absl::StatusOr<std::unique_ptr<Connection>> Connect(Connection::Mode mode) override {
    sqlite3* raw = nullptr;
    // No mutex: a connection is used by one thread at a time.
    const int rc =
        sqlite3_open_v2(path_.c_str(), &raw,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    DbPtr db(raw);
    if (rc != SQLITE_OK) return SqliteError(raw);
    auto connection = std::make_unique<SqliteConnection>(mode, std::move(db));
    DT_RETURN_IF_ERROR(connection->Configure());
    return connection;
  }

  bool has_readers() const override { return path_ != kMemory; }

 private:
  const std::string path_;
  const FileLock lock_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(const std::string& path) {
  // Nobody reads how much memory SQLite has, and counting it takes a lock at each allocation. No
  // error counts: another library of this process may use SQLite already.
  static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(uncounted);
  if (path == kMemory) return std::make_unique<SqliteStore>(path, FileLock());
  // By the file's own name, whatever link leads to it.
  std::error_code unknown;
  const std::filesystem::path real = std::filesystem::weakly_canonical(path, unknown);
  // Two services on one file would each take itself for the only writer. The lock is on a file
  // beside the database: opening and closing the database itself would drop the POSIX locks that
  // SQLite holds on it.
  absl::StatusOr<FileLock> lock =
      FileLock::Acquire((unknown ? path : real.string()) + ".lock", path);
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        fmt::format("{}: stop it first, or give this one a store of its own",
                    std::string(lock.status().message())));
  }
  if (!lock.ok()) return lock.status();
  DT_RETURN_IF_ERROR(CreatePrivately(path));
  DT_RETURN_IF_ERROR(WriteLogAgain(path));
  return std::make_unique<SqliteStore>(path, *std::move(lock));
}

}  // namespace devicetrust::db
