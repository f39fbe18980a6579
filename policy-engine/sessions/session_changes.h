// What gateways must hear of at once: ended sessions, users deactivated or activated again
// (ADR 9). Rows in commit order, read by a stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/sessions.pb.h"
#include "libs/base/change_signal.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"

namespace devicetrust::policy {

// Thread-safe.
class SessionChanges {
 public:
  // `database` has OrgMigrations() and must outlive this.
  explicit SessionChanges(db::Database& database);

  // Parts of a larger transaction.
  static absl::Status AppendEnded(db::Transaction& txn, const std::string& session_id, WallTime at);
  static absl::Status AppendUserStatus(db::Transaction& txn, const std::string& user_id,
                                       bool active, WallTime at);

  // Ends one session everywhere. Idempotent.
  absl::Status EndSession(const std::string& session_id, WallTime at);
  static absl::StatusOr<bool> HasEnded(db::Transaction& txn, const std::string& session_id);

  // Up to `limit` changes after sequence `after`, oldest first; `sequence` is that of the last
  // one, or `after` when there is none.
  struct Following {
    std::vector<org::v1::SessionChange> changes;
    std::int64_t sequence = 0;
    std::optional<WallTime> oldest_session_at;  // Of those that are kept.
  };
  absl::StatusOr<Following> After(std::int64_t after, int limit);

  // Forgets what no live session can need: sessions whose time is over, and of ended ones that they
  // ended, once no older one is live; and then what users were before, of which the last stays.
  absl::Status Prune(WallTime now);

  // Fires after each commit of a change.
  ChangeSignal& announced() { return announced_; }

 private:
  db::Database& database_;
  ChangeSignal announced_;
  const db::Watch watch_;  // Last: it fires the one above.
};

}  // namespace devicetrust::policy
