// The System Log's store (LOG-1, LOG-2): events in the order of their arrival, each once, chained
// to the one before it, for as long and as many as the limits say.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/change_signal.h"
#include "libs/base/clock.h"
#include "libs/base/snapshot.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/event_query.h"
#include "policy-engine/log/event_record.h"
#include "policy-engine/log/log_chain.h"

namespace devicetrust::policy {

inline constexpr int kEventsPerAppendMax = 1000;
// The topic of the store that new events are announced under (Database::WatchTopic).
inline constexpr std::string_view kEventsTopic = "events";

struct LogLimits {
  std::chrono::hours kept_for{90 * 24};             // From the arrival on.
  std::int64_t bytes_max = std::int64_t{10} << 30;  // Of all events, about; 0: no limit.
};

// Thread-safe.
class SystemLog {
 public:
  using Change = std::function<absl::Status(db::Transaction&)>;

  // `database` has LogMigrations(). Both must outlive this.
  SystemLog(db::Database& database, const Clock& clock, LogLimits limits = {});

  // Who names the zones of addresses; until then they have none.
  void NameZones(ZonesOf zones_of);

  struct Appended {
    int stored = 0;
    int duplicates = 0;
    int refused = 0;  // Of those that were given; their stand-ins count among the former two.
  };
  // Stores events of `writer` durably. Ids are the writer's own: the log keeps an event as
  // "NAME/ID", and drops one that it has under this id already. A time further ahead than
  // kEventClockSkew, or longer ago than events are kept, becomes that of the arrival; debug_data
  // then says which was claimed.
  // Instead of an event without id, type or time, or longer than kEventBytesMax, a kRefuseEvent is
  // stored that says so: delivered again it would be no better, and hold up those behind it.
  // kInvalidArgument, MALFORMED_REQUEST: more than kEventsPerAppendMax. kPermissionDenied,
  // CALLER_NOT_ALLOWED: an event is of a type that the writer's role does not write, which a newer
  // release of the org may take. Then none is stored.
  absl::StatusOr<Appended> Append(const rpc::Caller& writer,
                                  std::span<const org::v1::Event* const> events);
  absl::StatusOr<Appended> Append(const rpc::Caller& writer,
                                  std::span<const org::v1::Event> events);

  // Makes `change` in the store of the log, and appends the event that tells of it, in one
  // transaction. Errors: those of both. `change` is run as Database::Write() runs such.
  absl::Status AppendWith(const rpc::Caller& writer, const org::v1::Event& event,
                          const Change& change);

  struct Page {
    std::vector<org::v1::Event> events;  // Newest first, `sequence` set.
    std::int64_t next_before = 0;        // For the next page; 0 on the last one.
    std::int64_t deleted_to = 0;         // As below.
  };
  // Up to `limit` events that match and come before sequence `before` (0: from the newest).
  // Fewer with a next page when kEventsLookedAtMax were looked at. Errors: those of EventQuery.
  absl::StatusOr<Page> Search(const org::v1::EventFilter& filter, std::int64_t before, int limit);

  struct Following {
    std::vector<org::v1::Event> events;  // Oldest first.
    std::int64_t sequence = 0;           // All events up to here were looked at.
    // When it is after `after`: events up to here were deleted before they were looked at.
    std::int64_t deleted_to = 0;
  };
  // Up to `limit` events after sequence `after`, those that match.
  absl::StatusOr<Following> After(const org::v1::EventFilter& filter, std::int64_t after,
                                  int limit);

  struct Counts {
    std::map<std::string, std::int64_t> by_type;
    std::int64_t next_before = 0;  // As of a Page.
  };
  // Matching events by type, of those before sequence `before` (0: all).
  absl::StatusOr<Counts> Count(const org::v1::EventFilter& filter, std::int64_t before = 0);

  // When the certificate was revoked, as its event tells; nullopt when it was not.
  absl::StatusOr<std::optional<WallTime>> RevokedAt(const std::string& serial);

  absl::StatusOr<std::int64_t> LastSequence();
  absl::StatusOr<ChainState> Chain();

  // Deletes some of the events that arrived longer ago than the limit says, or that are the oldest
  // while the log is too large. True: there are more. Each call is one short write.
  absl::StatusOr<bool> Prune();

  ChangeSignal& appended() { return appended_; }  // Fires after each commit of one.

 private:
  absl::StatusOr<Appended> Store(std::span<const EventRecord> records, WallTime now,
                                 const Change& change);

  db::Database& database_;
  const Clock& clock_;
  const LogLimits limits_;
  Snapshot<ZonesOf> zones_of_;
  std::atomic<bool> mended_ = false;  // See MendIndexedFrom().
  ChangeSignal appended_;
  const db::Watch watch_;  // Last: it fires the one above.
};

// When an event of this sequence arrived, about: the log numbers them by the microsecond.
WallTime ArrivalOf(std::int64_t sequence);

}  // namespace devicetrust::policy
