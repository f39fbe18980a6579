#include "policy-engine/log/hook_store.h"

#include <utility>

#include "libs/db/sequence.h"

namespace devicetrust::policy {
namespace {

constexpr std::string_view kHookColumns =
    "SELECT name, url, expression, enabled, created_at, created_by, position, tries, delivered_at,"
    " last_error, last_error_at FROM event_hooks";

StoredHook HookOf(const db::Row& row) {
  return {db::Text(row[0]), db::Text(row[1]), db::Text(row[2]), db::Int(row[3]) != 0,
          db::Int(row[4]),  db::Text(row[5]), db::Int(row[6]),  db::Int(row[7]),
          db::Int(row[8]),  db::Text(row[9]), db::Int(row[10])};
}

StoredDeadLetter DeadLetterOf(const db::Row& row) {
  return {db::Int(row[0]),      db::Int(row[1]),  db::Int(row[2]),
          db::Text(row[3]),     db::Int(row[4]),  db::Int(row[5]),
          db::Int(row[6]) != 0, db::Text(row[7]), db::Int(row[8])};
}

#define DT_DEAD_LETTER_COLUMNS                                                               \
  "SELECT id, after_sequence, last_sequence, expression, events, tries, due, error, died_at" \
  " FROM hook_dead_letters"

}  // namespace

db::Migration HookStore::Tables(int version) {
  return {version,
          "event hooks",
          {{.name = "event_hooks",
            .columns = "name TEXT PRIMARY KEY, url TEXT NOT NULL, expression TEXT NOT NULL,"
                       " enabled BIGINT NOT NULL, created_at BIGINT NOT NULL,"
                       " created_by TEXT NOT NULL, position BIGINT NOT NULL, tries BIGINT NOT NULL,"
                       " delivered_at BIGINT NOT NULL, last_error TEXT NOT NULL,"
                       " last_error_at BIGINT NOT NULL"},
           {.name = "hook_keys",
            .columns = "kid TEXT PRIMARY KEY, hook TEXT NOT NULL, created_at BIGINT NOT NULL,"
                       " expires_at BIGINT NOT NULL, sealed BYTEA NOT NULL"},
           {.name = "hook_dead_letters",
            .number_key = "id",
            .columns = "hook TEXT NOT NULL, after_sequence BIGINT NOT NULL,"
                       " last_sequence BIGINT NOT NULL, expression TEXT NOT NULL,"
                       " events BIGINT NOT NULL, tries BIGINT NOT NULL, due BIGINT NOT NULL,"
                       " error TEXT NOT NULL, died_at BIGINT NOT NULL"}},
          {"CREATE INDEX hook_keys_by_hook ON hook_keys (hook)",
           "CREATE INDEX hook_dead_letters_by_hook ON hook_dead_letters (hook, id)"}};
}

absl::StatusOr<std::vector<StoredHook>> HookStore::List() {
  static const std::string kSql = std::string(kHookColumns) + " ORDER BY name";
  DT_ASSIGN_OR_RETURN(const auto rows, txn_.Run(kSql));
  std::vector<StoredHook> hooks;
  for (const db::Row& row : rows) hooks.push_back(HookOf(row));
  return hooks;
}

absl::StatusOr<std::optional<StoredHook>> HookStore::Find(const std::string& name) {
  static const std::string kSql = std::string(kHookColumns) + " WHERE name = $1";
  DT_ASSIGN_OR_RETURN(const auto rows, txn_.Run(kSql, {name}));
  if (rows.empty()) return std::nullopt;
  return HookOf(rows[0]);
}

absl::Status HookStore::Insert(const StoredHook& hook) {
  return txn_
      .Run(
          "INSERT INTO event_hooks (name, url, expression, enabled, created_at, created_by,"
          " position, tries, delivered_at, last_error, last_error_at)"
          " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
          {hook.name, hook.url, hook.expression, std::int64_t{hook.enabled}, hook.created_at,
           hook.created_by, hook.position, hook.tries, hook.delivered_at, hook.last_error,
           hook.last_error_at})
      .status();
}

absl::Status HookStore::Update(const StoredHook& hook) {
  return txn_
      .Run(
          "UPDATE event_hooks SET enabled = $2, position = $3, tries = $4, delivered_at = $5,"
          " last_error = $6, last_error_at = $7 WHERE name = $1",
          {hook.name, std::int64_t{hook.enabled}, hook.position, hook.tries, hook.delivered_at,
           hook.last_error, hook.last_error_at})
      .status();
}

absl::Status HookStore::Remove(const std::string& name) {
  DT_RETURN_IF_ERROR(txn_.Run("DELETE FROM hook_dead_letters WHERE hook = $1", {name}).status());
  DT_RETURN_IF_ERROR(txn_.Run("DELETE FROM hook_keys WHERE hook = $1", {name}).status());
  return txn_.Run("DELETE FROM event_hooks WHERE name = $1", {name}).status();
}

absl::StatusOr<std::vector<StoredHookKey>> HookStore::Keys(const std::string& name) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT kid, created_at, expires_at, sealed FROM hook_keys"
                               " WHERE hook = $1 ORDER BY expires_at <> 0, created_at DESC, kid",
                               {name}));
  std::vector<StoredHookKey> keys;
  for (const db::Row& row : rows) {
    keys.push_back({db::Text(row[0]), db::Int(row[1]), db::Int(row[2]), db::Blob(row[3])});
  }
  return keys;
}

absl::Status HookStore::InsertKey(const std::string& name, const StoredHookKey& key) {
  return txn_
      .Run(
          "INSERT INTO hook_keys (kid, hook, created_at, expires_at, sealed)"
          " VALUES ($1, $2, $3, $4, $5)",
          {key.kid, name, key.created_at, key.expires_at, key.sealed})
      .status();
}

absl::Status HookStore::ExpireKeys(const std::string& name, std::int64_t expires_at,
                                   std::int64_t now) {
  DT_RETURN_IF_ERROR(
      txn_.Run("DELETE FROM hook_keys WHERE hook = $1 AND expires_at <> 0 AND expires_at <= $2",
               {name, now})
          .status());
  return txn_
      .Run("UPDATE hook_keys SET expires_at = $2 WHERE hook = $1 AND expires_at = 0",
           {name, expires_at})
      .status();
}

absl::StatusOr<std::vector<StoredDeadLetter>> HookStore::DeadLetters(const std::string& name) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run(DT_DEAD_LETTER_COLUMNS " WHERE hook = $1 ORDER BY id", {name}));
  std::vector<StoredDeadLetter> letters;
  for (const db::Row& row : rows) letters.push_back(DeadLetterOf(row));
  return letters;
}

absl::StatusOr<std::int64_t> HookStore::CountDeadLetters(const std::string& name) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("SELECT COUNT(*) FROM hook_dead_letters WHERE hook = $1", {name}));
  return db::Int(rows.at(0)[0]);
}

absl::StatusOr<std::optional<StoredDeadLetter>> HookStore::FirstDue(const std::string& name) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run(DT_DEAD_LETTER_COLUMNS " WHERE hook = $1 AND due = 1 ORDER BY id LIMIT 1", {name}));
  if (rows.empty()) return std::nullopt;
  return DeadLetterOf(rows[0]);
}

absl::Status HookStore::Bury(const std::string& name, const StoredDeadLetter& letter) {
  DT_ASSIGN_OR_RETURN(const std::int64_t id, db::NextSequence(txn_, "dead letters"));
  return txn_
      .Run(
          "INSERT INTO hook_dead_letters (id, hook, after_sequence, last_sequence, expression,"
          " events, tries, due, error, died_at) VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7, $8)",
          {id, name, letter.after, letter.last, letter.expression, letter.events, letter.error,
           letter.died_at})
      .status();
}

absl::Status HookStore::UpdateDeadLetter(const StoredDeadLetter& letter) {
  return txn_
      .Run(
          "UPDATE hook_dead_letters SET tries = $2, due = $3, error = $4, died_at = $5"
          " WHERE id = $1",
          {letter.id, letter.tries, std::int64_t{letter.due}, letter.error, letter.died_at})
      .status();
}

absl::Status HookStore::RemoveDeadLetter(std::int64_t id) {
  return txn_.Run("DELETE FROM hook_dead_letters WHERE id = $1", {id}).status();
}

absl::StatusOr<std::int64_t> HookStore::KeepNewest(const std::string& name, std::int64_t kept) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn_.Run("DELETE FROM hook_dead_letters WHERE hook = $1 AND id NOT IN (SELECT id FROM"
               " hook_dead_letters WHERE hook = $1 ORDER BY id DESC LIMIT $2) RETURNING id",
               {name, kept}));
  return static_cast<std::int64_t>(rows.size());
}

absl::StatusOr<std::int64_t> HookStore::MarkDue(const std::string& name, std::int64_t id) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn_.Run("UPDATE hook_dead_letters SET due = 1, tries = 0 WHERE hook = $1"
                               " AND ($2 = 0 OR id = $2) RETURNING id",
                               {name, id}));
  return static_cast<std::int64_t>(rows.size());
}

}  // namespace devicetrust::policy
