// What an EventFilter looks for, and the way to it through the store's indexes. An index proposes
// events in order; each is then held against the whole filter. The search is bounded: it stops
// after a number of proposals, and says where it is.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/log/filter.h"

namespace devicetrust::policy {

inline constexpr int kEventTypesPerFilterMax = 10;
// How many events one call looks at: about a tenth of a second.
inline constexpr int kEventsLookedAtMax = 20'000;
inline constexpr int kEventsCountedMax = 200'000;  // The same when no event must be read for it.

// Under which an event is found: ids of its actor and its targets, principals of users, its device.
// Folded (libs/base/names.h): Kerberos writes zoë@CORP.TEST, the directory Zoë@corp.test.
std::set<std::string> SubjectsOf(const org::v1::Event& event);

// Immutable, thread-safe.
class EventQuery {
 public:
  // kInvalidArgument, MALFORMED_REQUEST: more than kEventTypesPerFilterMax types, or no expression.
  static absl::StatusOr<EventQuery> Make(const org::v1::EventFilter& filter);

  bool Matches(const org::v1::Event& event) const;

 private:
  friend class EventSearch;
  // What columns tell without the event.
  bool MayMatch(const std::string& type, std::int64_t at_ms) const;

  std::int64_t since_ms_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t until_ms_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t least_sequence_ = 0;    // None that matches is below.
  std::vector<std::string> types_;     // Empty: any.
  std::vector<std::string> subjects_;  // Of people, devices or certificates; folded.
  std::optional<EventExpression> expression_;

  std::vector<std::string> index_types_;
  std::optional<std::string> index_subject_;
  // Found by the index only from events on that were indexed by every actor and target.
  bool subject_is_wide_ = false;
};

// One search in one snapshot of the store.
class EventSearch {
 public:
  // Events from `indexed_from` on are in the index of subjects by all that SubjectsOf() says;
  // those before by people, devices and certificates alone.
  EventSearch(db::Transaction& txn, const EventQuery& query, std::int64_t indexed_from)
      : txn_(txn), query_(query), indexed_from_(indexed_from) {}

  struct Result {
    std::vector<org::v1::Event> events;  // With `sequence`.
    std::int64_t position = 0;           // The last one that was looked at.
    bool all = false;                    // There are no more in this direction.
  };
  // Up to `limit` events that match, newest first, of those before `before`.
  absl::StatusOr<Result> NewestFirst(std::int64_t before, int limit);
  // The same, oldest first, of those after `after`.
  absl::StatusOr<Result> OldestFirst(std::int64_t after, int limit);

  struct Counted {
    std::map<std::string, std::int64_t> by_type;
    std::int64_t position = 0;
    bool all = false;
  };
  // Those that match, of those before `before`.
  absl::StatusOr<Counted> Count(std::int64_t before);

 private:
  enum class Index { kNone, kTypes, kSubject };
  // Events between two sequences, both exclusive.
  struct Range {
    std::int64_t low;
    std::int64_t high;
  };
  struct Region {
    Index index;
    Range range;
  };
  std::vector<Region> Regions(Range range, bool newest_first) const;
  absl::StatusOr<std::vector<db::Row>> Fetch(const Region& region, bool newest_first,
                                             bool with_event, std::int64_t count);
  // Calls `see` with rows of (sequence, at_ms, type, event) in order, until it returns an error or
  // `looked_at_max` were seen. Sets position and all.
  template <typename See>
  absl::Status Walk(Range range, bool newest_first, bool with_event, int chunk, int looked_at_max,
                    std::int64_t& position, bool& all, const See& see);
  absl::StatusOr<Result> Find(Range range, bool newest_first, int limit);

  db::Transaction& txn_;
  const EventQuery& query_;
  const std::int64_t indexed_from_;
};

}  // namespace devicetrust::policy
