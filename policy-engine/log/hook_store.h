// The tables of event hooks, in the System Log's store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/bytes.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "libs/db/migrations.h"

namespace devicetrust::policy {

struct StoredHook {
  std::string name;
  std::string url;
  std::string expression;
  bool enabled = true;
  std::int64_t created_at = 0;  // Seconds, as all times here.
  std::string created_by;
  std::int64_t position = 0;  // Events up to here are delivered, or dead letters.
  std::int64_t tries = 0;
  std::int64_t delivered_at = 0;  // 0: never.
  std::string last_error;
  std::int64_t last_error_at = 0;
};

struct StoredHookKey {
  std::string kid;
  std::int64_t created_at = 0;
  std::int64_t expires_at = 0;  // 0: it is the present one.
  Bytes sealed;
};

// Which events were given up, not what they say: they are in the log.
struct StoredDeadLetter {
  std::int64_t id = 0;
  std::int64_t after = 0;  // The events after this sequence,
  std::int64_t last = 0;   // up to this one,
  std::string expression;  // that the hook's expression of that time matches.
  std::int64_t events = 0;
  std::int64_t tries = 0;
  bool due = false;  // To be sent again.
  std::string error;
  std::int64_t died_at = 0;
};

// Of one transaction.
class HookStore {
 public:
  explicit HookStore(db::Transaction& txn) : txn_(txn) {}

  static db::Migration Tables(int version);

  absl::StatusOr<std::vector<StoredHook>> List();
  absl::StatusOr<std::optional<StoredHook>> Find(const std::string& name);
  absl::Status Insert(const StoredHook& hook);
  absl::Status Update(const StoredHook& hook);   // What is not fixed: from `enabled` on.
  absl::Status Remove(const std::string& name);  // With keys and dead letters.

  absl::StatusOr<std::vector<StoredHookKey>> Keys(const std::string& name);  // Newest first.
  absl::Status InsertKey(const std::string& name, const StoredHookKey& key);
  // The present key ends then, and those that have ended go.
  absl::Status ExpireKeys(const std::string& name, std::int64_t expires_at, std::int64_t now);

  absl::StatusOr<std::vector<StoredDeadLetter>> DeadLetters(const std::string& name);
  absl::StatusOr<std::int64_t> CountDeadLetters(const std::string& name);
  absl::StatusOr<std::optional<StoredDeadLetter>> FirstDue(const std::string& name);
  absl::Status Bury(const std::string& name, const StoredDeadLetter& letter);
  absl::Status UpdateDeadLetter(const StoredDeadLetter& letter);
  absl::Status RemoveDeadLetter(std::int64_t id);
  // Removes the oldest but `kept`; returns how many.
  absl::StatusOr<std::int64_t> KeepNewest(const std::string& name, std::int64_t kept);
  // Marks one, or with 0 all, to be sent again; returns how many.
  absl::StatusOr<std::int64_t> MarkDue(const std::string& name, std::int64_t id);

 private:
  db::Transaction& txn_;
};

}  // namespace devicetrust::policy
