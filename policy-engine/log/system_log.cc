#include "policy-engine/log/system_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "libs/base/names.h"
#include "libs/base/utc_time.h"
#include "libs/db/sequence.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/metrics.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

// The sequence of events, and the topic that new ones are announced under.
constexpr std::string_view kEventSequence = "events";
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

absl::Status MalformedEvents(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message));
}

absl::Status ValidateEvent(const v1::Event& event) {
  if (event.id().empty() || event.id().size() > 64) {
    return MalformedEvents("an event's id must be 1 to 64 bytes");
  }
  if (event.type().empty() || event.type().size() > 128) {
    return MalformedEvents(fmt::format("event {}: the type must be 1 to 128 bytes", event.id()));
  }
  if (!event.has_at()) {
    return MalformedEvents(fmt::format("event {}: the time is missing", event.id()));
  }
  const bool in_range = event.at().seconds() >= -kWallSecondsMax &&
                        event.at().seconds() <= kWallSecondsMax && event.at().nanos() >= 0 &&
                        event.at().nanos() <= 999'999'999;
  if (!in_range) {
    return MalformedEvents(
        fmt::format("event {}: the time must be of the years 1678 to 2261", event.id()));
  }
  if (event.ByteSizeLong() > kEventBytesMax) {
    return MalformedEvents(
        fmt::format("event {} is longer than {} bytes", event.id(), kEventBytesMax));
  }
  return absl::OkStatus();
}

// What an event is found by: users by id and principal, devices by id, certificates by serial.
// As names compare: Kerberos writes zoë@CORP.TEST, the directory Zoë@corp.test.
std::set<std::string> SubjectsOf(const v1::Event& event) {
  std::set<std::string> subjects;
  const auto add = [&subjects](const std::string& type, const std::string& id,
                               const std::string& name) {
    if (type != "User" && type != "Device" && type != "Certificate") return;
    if (!id.empty()) subjects.insert(FoldName(id));
    if (type == "User" && !name.empty()) subjects.insert(FoldName(name));
  };
  add(event.actor().type(), event.actor().id(), event.actor().display_name());
  for (const v1::Target& target : event.targets()) {
    add(target.type(), target.id(), target.display_name());
  }
  const auto device = event.debug_data().find("device_id");
  if (device != event.debug_data().end() && !device->second.empty()) {
    subjects.insert(FoldName(device->second));
  }
  return subjects;
}

constexpr std::size_t kSubjectsPerInsertMax = 8;
constexpr std::int64_t kPrunedAtOnce = 200;
constexpr std::size_t kShownBytesMax = 128;

// What an event counts for the size of the log. (The sequence is not kept in it.)
std::int64_t BytesOf(const v1::Event& event) {
  v1::Event kept = event;
  kept.clear_sequence();
  return static_cast<std::int64_t>(kept.ByteSizeLong()) + kEventOverheadBytes;
}

// The statement for each number of subjects, $1 the event's sequence.
std::string_view InsertSubjects(std::size_t count) {
  static const auto kStatements = [] {
    std::array<std::string, kSubjectsPerInsertMax> statements;
    std::string sql = "INSERT INTO event_subjects (sequence, subject) VALUES";
    for (std::size_t i = 0; i < statements.size(); ++i) {
      sql += fmt::format("{}($1, ${})", i == 0 ? " " : ", ", i + 2);
      statements[i] = sql;
    }
    return statements;
  }();
  return kStatements[count - 1];
}

// The event as it is kept. What its writer may not say is replaced.
v1::Event Kept(const rpc::Caller& writer, const v1::Event& given, WallTime now,
               std::chrono::hours kept_for) {
  v1::Event event = given;
  event.set_id(fmt::format("{}/{}", writer.name, given.id()));
  event.set_writer(writer.name);
  event.clear_sequence();
  const WallTime at = rpc::FromTimestamp(given.at());
  if (at > now + kEventClockSkew || at < now - kept_for) {
    (*event.mutable_debug_data())["claimed_time"] = FormatUtc(at);
    *event.mutable_at() = rpc::ToTimestamp(now);
  }
  return event;
}

absl::Status ForeignType(const rpc::Caller& writer, const v1::Event& event) {
  const std::string type = event.type().substr(0, kShownBytesMax);
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                        fmt::format("{} may not write events of type {}", writer.ToString(), type),
                        type, "Events are written by the component whose acts they tell of.");
}

// What the log holds, and up to which event it was deleted.
struct Usage {
  std::int64_t bytes = 0;
  std::int64_t events = 0;
  std::int64_t deleted_to = 0;
};

absl::StatusOr<Usage> ReadUsage(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT bytes, events, deleted_to FROM log_usage WHERE id = 1"));
  if (rows.size() != 1) return absl::DataLossError("the System Log has lost the row of its size");
  return Usage{db::Int(rows[0][0]), db::Int(rows[0][1]), db::Int(rows[0][2])};
}

absl::StatusOr<Usage> AddUsage(db::Transaction& txn, std::int64_t bytes, std::int64_t events) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("UPDATE log_usage SET bytes = bytes + $1, events = events + $2 WHERE id = 1"
              " RETURNING bytes, events, deleted_to",
              {bytes, events}));
  if (rows.size() != 1) return absl::DataLossError("the System Log has lost the row of its size");
  return Usage{db::Int(rows[0][0]), db::Int(rows[0][1]), db::Int(rows[0][2])};
}

void Measure(const Usage& usage) {
  kLogBytes.With().Set(static_cast<double>(usage.bytes));
  kLogEvents.With().Set(static_cast<double>(usage.events));
}

absl::StatusOr<bool> Insert(db::Transaction& txn, const v1::Event& event, std::int64_t sequence) {
  Bytes data(event.ByteSizeLong());
  event.SerializeToArray(data.data(), static_cast<int>(data.size()));
  DT_ASSIGN_OR_RETURN(
      const auto stored,
      txn.Run("INSERT INTO events (sequence, id, type, at_ms, event) VALUES ($1, $2, $3, $4, $5)"
              " ON CONFLICT (id) DO NOTHING RETURNING sequence",
              {sequence, event.id(), event.type(), UnixMillis(rpc::FromTimestamp(event.at())),
               std::move(data)}));
  if (stored.empty()) return false;
  std::vector<db::Value> arguments = {sequence};
  const std::set<std::string> subjects = SubjectsOf(event);
  for (auto subject = subjects.begin(); subject != subjects.end();) {
    arguments.resize(1);
    for (; subject != subjects.end() && arguments.size() <= kSubjectsPerInsertMax; ++subject) {
      arguments.emplace_back(*subject);
    }
    DT_RETURN_IF_ERROR(txn.Run(InsertSubjects(arguments.size() - 1), arguments).status());
  }
  return true;
}

// Of a bound that somebody asks for: "until the year 9999" is no mistake.
std::int64_t NearestMillis(const google::protobuf::Timestamp& time) {
  return UnixMillis(AtUnixSeconds(time.seconds())) + time.nanos() / 1'000'000;
}

// A filter as parameters of one statement: $1 before or after, $2 limit, $3 and $4 times, $5
// number of types, $6 to $15 types, $16 one subject, $17 another; empty ones match all.
absl::StatusOr<std::vector<db::Value>> Arguments(const v1::EventFilter& filter,
                                                 std::int64_t position, std::int64_t limit) {
  if (filter.types_size() > kEventTypesPerFilterMax) {
    return MalformedEvents(fmt::format("at most {} types in one filter", kEventTypesPerFilterMax));
  }
  std::vector<db::Value> arguments = {
      position, limit, filter.has_since() ? NearestMillis(filter.since()) : -kForever,
      filter.has_until() ? NearestMillis(filter.until()) : kForever,
      static_cast<std::int64_t>(filter.types_size())};
  for (int i = 0; i < kEventTypesPerFilterMax; ++i) {
    arguments.emplace_back(i < filter.types_size() ? filter.types(i) : std::string());
  }
  std::string first = FoldName(TrimName(filter.user_id()));
  std::string second = FoldName(TrimName(filter.device_id()));
  if (first.empty()) std::swap(first, second);
  arguments.emplace_back(std::move(first));
  arguments.emplace_back(std::move(second));
  return arguments;
}

#define DT_EVENT_FILTER                                                            \
  " AND e.at_ms >= $3 AND e.at_ms < $4"                                            \
  " AND ($5 = 0 OR e.type IN ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15))"      \
  " AND ($17 = '' OR EXISTS (SELECT 1 FROM event_subjects t WHERE t.subject = $17" \
  " AND t.sequence = e.sequence))"

// With a subject, its index leads; without one, $16 is the empty string.
constexpr std::string_view kNewestFirst =
    "SELECT e.sequence, e.event FROM events e WHERE e.sequence < $1 AND $16 = ''" DT_EVENT_FILTER
    " ORDER BY e.sequence DESC LIMIT $2";
constexpr std::string_view kNewestFirstOfSubject =
    "SELECT e.sequence, e.event FROM event_subjects s JOIN events e ON e.sequence = s.sequence"
    " WHERE s.subject = $16 AND s.sequence < $1" DT_EVENT_FILTER
    " ORDER BY s.sequence DESC LIMIT $2";
constexpr std::string_view kOldestFirst =
    "SELECT e.sequence, e.event FROM events e WHERE e.sequence > $1 AND $16 = ''" DT_EVENT_FILTER
    " ORDER BY e.sequence LIMIT $2";
constexpr std::string_view kOldestFirstOfSubject =
    "SELECT e.sequence, e.event FROM event_subjects s JOIN events e ON e.sequence = s.sequence"
    " WHERE s.subject = $16 AND s.sequence > $1" DT_EVENT_FILTER " ORDER BY s.sequence LIMIT $2";
constexpr std::string_view kCount =
    "SELECT e.type, COUNT(*) FROM events e WHERE e.sequence < $1 AND $2 >= 0 AND"
    " ($16 = '' OR EXISTS (SELECT 1 FROM event_subjects s WHERE s.subject = $16"
    " AND s.sequence = e.sequence))" DT_EVENT_FILTER " GROUP BY e.type";
#undef DT_EVENT_FILTER

absl::StatusOr<std::vector<v1::Event>> ParseEvents(const std::vector<db::Row>& rows) {
  std::vector<v1::Event> events;
  events.reserve(rows.size());
  for (const db::Row& row : rows) {
    const Bytes& blob = db::Blob(row[1]);
    v1::Event& event = events.emplace_back();
    if (!event.ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
      return absl::DataLossError("an event in the System Log does not parse");
    }
    event.set_sequence(db::Int(row[0]));
  }
  return events;
}

bool HasSubject(const v1::EventFilter& filter) {
  return !filter.user_id().empty() || !filter.device_id().empty();
}

}  // namespace

SystemLog::SystemLog(db::Database& database, const Clock& clock, LogLimits limits)
    : database_(database),
      clock_(clock),
      limits_(limits),
      watch_(database_.WatchTopic(kEventSequence, [this] { appended_.Fire(); })) {}

absl::StatusOr<SystemLog::Appended> SystemLog::Append(const rpc::Caller& writer,
                                                      std::span<const v1::Event> events) {
  std::vector<const v1::Event*> pointers;
  pointers.reserve(events.size());
  for (const v1::Event& event : events) pointers.push_back(&event);
  return Append(writer, pointers);
}

absl::StatusOr<SystemLog::Appended> SystemLog::Append(const rpc::Caller& writer,
                                                      std::span<const v1::Event* const> events) {
  if (events.size() > static_cast<std::size_t>(kEventsPerAppendMax)) {
    return MalformedEvents(fmt::format("at most {} events in one call", kEventsPerAppendMax));
  }
  const WallTime now = clock_.Now();
  std::vector<v1::Event> kept;
  kept.reserve(events.size());
  for (const v1::Event* event : events) {
    DT_RETURN_IF_ERROR(ValidateEvent(*event));
    if (!MayWrite(writer.role, event->type())) return ForeignType(writer, *event);
    kept.push_back(Kept(writer, *event, now, limits_.kept_for));
  }
  if (kept.empty()) return Appended{};

  const auto count = static_cast<std::int64_t>(kept.size());
  const auto append = [&](db::Transaction& txn) -> absl::StatusOr<std::pair<Appended, Usage>> {
    DT_ASSIGN_OR_RETURN(std::int64_t sequence,
                        db::NextSequences(txn, kEventSequence, count, UnixMicros(now)));
    Appended appended;
    std::int64_t bytes = 0;
    for (const v1::Event& event : kept) {
      DT_ASSIGN_OR_RETURN(const bool stored, Insert(txn, event, sequence++));
      ++(stored ? appended.stored : appended.duplicates);
      if (stored) bytes += BytesOf(event);
    }
    if (appended.stored > 0) txn.Announce(kEventSequence);
    DT_ASSIGN_OR_RETURN(const Usage after, AddUsage(txn, bytes, appended.stored));
    return std::pair(appended, after);
  };
  DT_ASSIGN_OR_RETURN(const auto appended, database_.Write(append));
  Measure(appended.second);
  return appended.first;
}

absl::StatusOr<SystemLog::Page> SystemLog::Search(const v1::EventFilter& filter,
                                                  std::int64_t before, int limit) {
  DT_ASSIGN_OR_RETURN(const auto arguments,
                      Arguments(filter, before == 0 ? kForever : before, limit + 1));
  Page page;
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      database_.Read([&](db::Transaction& txn) -> absl::StatusOr<std::vector<db::Row>> {
        DT_ASSIGN_OR_RETURN(const Usage usage, ReadUsage(txn));
        page.deleted_to = usage.deleted_to;
        return txn.Run(HasSubject(filter) ? kNewestFirstOfSubject : kNewestFirst, arguments);
      }));
  DT_ASSIGN_OR_RETURN(page.events, ParseEvents(rows));
  if (page.events.size() > static_cast<std::size_t>(limit)) {
    page.events.pop_back();
    page.next_before = page.events.back().sequence();
  }
  return page;
}

absl::StatusOr<SystemLog::Following> SystemLog::After(const v1::EventFilter& filter,
                                                      std::int64_t after, int limit) {
  DT_ASSIGN_OR_RETURN(const auto arguments, Arguments(filter, after, limit));
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Following> {
    DT_ASSIGN_OR_RETURN(const std::int64_t last, db::LastSequence(txn, kEventSequence));
    DT_RETURN_IF_ERROR(rpc::CheckPosition(after, last));
    DT_ASSIGN_OR_RETURN(const Usage usage, ReadUsage(txn));
    DT_ASSIGN_OR_RETURN(
        const auto rows,
        txn.Run(HasSubject(filter) ? kOldestFirstOfSubject : kOldestFirst, arguments));
    Following following;
    following.deleted_to = usage.deleted_to;
    DT_ASSIGN_OR_RETURN(following.events, ParseEvents(rows));
    const bool all = following.events.size() < static_cast<std::size_t>(limit);
    following.sequence = all ? std::max(last, after) : following.events.back().sequence();
    return following;
  });
}

absl::StatusOr<std::map<std::string, std::int64_t>> SystemLog::Count(
    const v1::EventFilter& filter) {
  DT_ASSIGN_OR_RETURN(const auto arguments, Arguments(filter, kForever, 0));
  return database_.Read(
      [&](db::Transaction& txn) -> absl::StatusOr<std::map<std::string, std::int64_t>> {
        DT_ASSIGN_OR_RETURN(const auto rows, txn.Run(kCount, arguments));
        std::map<std::string, std::int64_t> counts;
        for (const db::Row& row : rows) counts[db::Text(row[0])] = db::Int(row[1]);
        return counts;
      });
}

absl::StatusOr<std::optional<WallTime>> SystemLog::RevokedAt(const std::string& serial) {
  if (serial.empty()) return std::optional<WallTime>();
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<std::optional<WallTime>> {
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("SELECT MIN(e.at_ms) FROM event_subjects s"
                                " JOIN events e ON e.sequence = s.sequence"
                                " WHERE s.subject = $1 AND e.type = 'pki.cert.revoke'",
                                {serial}));
    if (rows.empty() || db::IsNull(rows.front()[0])) return std::optional<WallTime>();
    return std::optional<WallTime>(AtUnixMillis(db::Int(rows.front()[0])));
  });
}

absl::StatusOr<std::int64_t> SystemLog::LastSequence() {
  return database_.Read([](db::Transaction& txn) { return db::LastSequence(txn, kEventSequence); });
}

// Reads outside of the write, which then only deletes by key.
absl::StatusOr<bool> SystemLog::Prune() {
  const std::int64_t arrived_before = UnixMicros(clock_.Now() - limits_.kept_for);
  struct Oldest {
    Usage usage;
    std::vector<db::Row> rows;
  };
  const auto read = [](db::Transaction& txn) -> absl::StatusOr<Oldest> {
    Oldest oldest;
    DT_ASSIGN_OR_RETURN(oldest.usage, ReadUsage(txn));
    DT_ASSIGN_OR_RETURN(
        oldest.rows,
        txn.Run("SELECT sequence, event FROM events ORDER BY sequence LIMIT $1", {kPrunedAtOnce}));
    return oldest;
  };
  DT_ASSIGN_OR_RETURN(const Oldest oldest, database_.Read(read));
  Measure(oldest.usage);
  DT_ASSIGN_OR_RETURN(const std::vector<v1::Event> events, ParseEvents(oldest.rows));

  const std::int64_t too_many = limits_.bytes_max > 0 ? oldest.usage.bytes - limits_.bytes_max : 0;
  std::int64_t bytes = 0;
  std::int64_t aged = 0;
  std::size_t count = 0;
  for (; count < events.size(); ++count) {
    const bool old = events[count].sequence() < arrived_before;
    if (!old && bytes >= too_many) break;
    aged += old ? 1 : 0;
    bytes += BytesOf(events[count]);
  }
  if (count == 0) return false;
  const std::int64_t last = events[count - 1].sequence();
  const auto prune = [&](db::Transaction& txn) -> absl::Status {
    for (std::size_t i = 0; i < count; ++i) {
      for (const std::string& subject : SubjectsOf(events[i])) {
        DT_RETURN_IF_ERROR(
            txn.Run("DELETE FROM event_subjects WHERE subject = $1 AND sequence = $2",
                    {subject, events[i].sequence()})
                .status());
      }
    }
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM events WHERE sequence <= $1", {last}).status());
    return txn
        .Run(
            "UPDATE log_usage SET bytes = bytes - $1, events = events - $2, deleted_to = $3"
            " WHERE id = 1",
            {bytes, static_cast<std::int64_t>(count), last})
        .status();
  };
  DT_RETURN_IF_ERROR(database_.Write(prune));
  const auto deleted = static_cast<std::int64_t>(count);
  kLogDeleted.With({"age"}).Add(static_cast<std::uint64_t>(aged));
  kLogDeleted.With({"size"}).Add(static_cast<std::uint64_t>(deleted - aged));
  Measure({oldest.usage.bytes - bytes, oldest.usage.events - deleted, last});
  return deleted == kPrunedAtOnce;
}

WallTime ArrivalOf(std::int64_t sequence) {
  return std::chrono::time_point_cast<WallTime::duration>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(sequence)));
}

bool MayWrite(std::string_view role, std::string_view type) {
  if (role == TheOrg().role) return true;
  if (role == "ca") {
    constexpr std::array<std::string_view, 4> kTypes = {"user.credential.enroll", "pki.cert.issue",
                                                        "pki.cert.renew", "pki.cert.revoke"};
    if (std::ranges::find(kTypes, type) != kTypes.end()) return true;
  }
  if (role != "ca" && role != "iwa" && role != "gateway") return false;
  return type.size() > role.size() + 1 && type.starts_with(role) && type[role.size()] == '.';
}

const rpc::Caller& TheOrg() {
  static const rpc::Caller kOrg{rpc::Caller::Kind::kComponent, "policy", "policy", {}};
  return kOrg;
}

}  // namespace devicetrust::policy
