// The System Log's store (LOG-1, LOG-2): events in the order of their arrival, each once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/change_signal.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/database.h"

namespace devicetrust::policy {

inline constexpr int kEventsPerAppendMax = 1000;
inline constexpr int kEventTypesPerFilterMax = 10;
inline constexpr std::size_t kEventBytesMax = 16 * 1024;

// Thread-safe.
class SystemLog {
 public:
  // `database` has LogMigrations(). Both must outlive this.
  SystemLog(db::Database& database, const Clock& clock);

  struct Appended {
    int stored = 0;
    int duplicates = 0;
  };
  // Stores events durably; one whose id is there already is dropped.
  // kInvalidArgument, MALFORMED_REQUEST: an event lacks id, type or time, or is longer than
  // kEventBytesMax; more than kEventsPerAppendMax. Then none is stored.
  absl::StatusOr<Appended> Append(std::span<const org::v1::Event* const> events);
  absl::StatusOr<Appended> Append(std::span<const org::v1::Event> events);

  struct Page {
    std::vector<org::v1::Event> events;  // Newest first, `sequence` set.
    std::int64_t next_before = 0;        // For the next page; 0 on the last one.
  };
  // Up to `limit` events that match and come before sequence `before` (0: from the newest).
  // kInvalidArgument, MALFORMED_REQUEST: more than kEventTypesPerFilterMax types.
  absl::StatusOr<Page> Search(const org::v1::EventFilter& filter, std::int64_t before, int limit);

  struct Following {
    std::vector<org::v1::Event> events;  // Oldest first.
    std::int64_t sequence = 0;           // All events up to here were looked at.
  };
  // Up to `limit` events after sequence `after`, those that match.
  absl::StatusOr<Following> After(const org::v1::EventFilter& filter, std::int64_t after,
                                  int limit);

  // Matching events by type.
  absl::StatusOr<std::map<std::string, std::int64_t>> Count(const org::v1::EventFilter& filter);

  // When the certificate was revoked, as its event tells; nullopt when it was not.
  absl::StatusOr<std::optional<WallTime>> RevokedAt(const std::string& serial);

  absl::StatusOr<std::int64_t> LastSequence();

  ChangeSignal& appended() { return appended_; }  // Fires after each commit of one.

 private:
  db::Database& database_;
  const Clock& clock_;
  ChangeSignal appended_;
  const db::Watch watch_;  // Last: it fires the one above.
};

}  // namespace devicetrust::policy
