#include "policy-engine/log/system_log.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <set>

#include "libs/db/sequence.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

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
// Without case: Kerberos writes alice@CORP.TEST, the directory alice@corp.test.
std::set<std::string> SubjectsOf(const v1::Event& event) {
  std::set<std::string> subjects;
  const auto add = [&subjects](const std::string& type, const std::string& id,
                               const std::string& name) {
    if (type != "User" && type != "Device" && type != "Certificate") return;
    if (!id.empty()) subjects.insert(absl::AsciiStrToLower(id));
    if (type == "User" && !name.empty()) subjects.insert(absl::AsciiStrToLower(name));
  };
  add(event.actor().type(), event.actor().id(), event.actor().display_name());
  for (const v1::Target& target : event.targets()) {
    add(target.type(), target.id(), target.display_name());
  }
  const auto device = event.debug_data().find("device_id");
  if (device != event.debug_data().end() && !device->second.empty()) {
    subjects.insert(absl::AsciiStrToLower(device->second));
  }
  return subjects;
}

constexpr std::size_t kSubjectsPerInsertMax = 8;

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
  std::string first = absl::AsciiStrToLower(filter.user_id());
  std::string second = absl::AsciiStrToLower(filter.device_id());
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

SystemLog::SystemLog(db::Database& database, const Clock& clock)
    : database_(database),
      clock_(clock),
      watch_(database_.WatchTopic(kEventSequence, [this] { appended_.Fire(); })) {}

absl::StatusOr<SystemLog::Appended> SystemLog::Append(std::span<const v1::Event> events) {
  std::vector<const v1::Event*> pointers;
  pointers.reserve(events.size());
  for (const v1::Event& event : events) pointers.push_back(&event);
  return Append(pointers);
}

absl::StatusOr<SystemLog::Appended> SystemLog::Append(std::span<const v1::Event* const> events) {
  if (events.size() > static_cast<std::size_t>(kEventsPerAppendMax)) {
    return MalformedEvents(fmt::format("at most {} events in one call", kEventsPerAppendMax));
  }
  for (const v1::Event* event : events) DT_RETURN_IF_ERROR(ValidateEvent(*event));
  if (events.empty()) return Appended{};

  const auto count = static_cast<std::int64_t>(events.size());
  return database_.Write([&](db::Transaction& txn) -> absl::StatusOr<Appended> {
    DT_ASSIGN_OR_RETURN(std::int64_t sequence,
                        db::NextSequences(txn, kEventSequence, count, UnixMicros(clock_.Now())));
    Appended appended;
    for (const v1::Event* event : events) {
      DT_ASSIGN_OR_RETURN(const bool stored, Insert(txn, *event, sequence++));
      ++(stored ? appended.stored : appended.duplicates);
    }
    if (appended.stored > 0) txn.Announce(kEventSequence);
    return appended;
  });
}

absl::StatusOr<SystemLog::Page> SystemLog::Search(const v1::EventFilter& filter,
                                                  std::int64_t before, int limit) {
  DT_ASSIGN_OR_RETURN(const auto arguments,
                      Arguments(filter, before == 0 ? kForever : before, limit + 1));
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      database_.Read([&](db::Transaction& txn) -> absl::StatusOr<std::vector<db::Row>> {
        return txn.Run(HasSubject(filter) ? kNewestFirstOfSubject : kNewestFirst, arguments);
      }));
  Page page;
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
    DT_ASSIGN_OR_RETURN(
        const auto rows,
        txn.Run(HasSubject(filter) ? kOldestFirstOfSubject : kOldestFirst, arguments));
    Following following;
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

}  // namespace devicetrust::policy
