#include "policy-engine/log/system_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "libs/base/log.h"
#include "libs/base/names.h"
#include "libs/base/utc_time.h"
#include "libs/db/sequence.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/metrics.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kEventSequence = kEventsTopic;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

absl::Status MalformedEvents(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message));
}

constexpr std::size_t kSubjectsPerInsertMax = 8;
constexpr std::int64_t kPrunedAtOnce = 200;
constexpr std::size_t kTypeShownBytesMax = 128;

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

absl::Status ForeignType(const rpc::Caller& writer, const v1::Event& event) {
  const std::string type = event.type().substr(0, kTypeShownBytesMax);
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

// What an event counts for the size of the log.
std::int64_t StoredBytes(const Bytes& message) {
  return static_cast<std::int64_t>(message.size()) + kEventOverheadBytes;
}

// The message with its link behind it: messages that follow each other are one (protobuf's merge).
Bytes WithLink(const EventRecord& record, const eventlog::Hash& previous,
               const eventlog::Hash& hash) {
  v1::Event link;
  link.mutable_chain()->set_previous_hash(previous.data(), previous.size());
  link.mutable_chain()->set_hash(hash.data(), hash.size());
  Bytes message(record.message.begin(), record.message.end());
  const std::size_t size = message.size();
  message.resize(size + link.ByteSizeLong());
  link.SerializeToArray(message.data() + size, static_cast<int>(message.size() - size));
  return message;
}

// False: an event of this id is there.
absl::StatusOr<bool> Insert(db::Transaction& txn, const EventRecord& record, std::int64_t sequence,
                            Bytes message) {
  DT_ASSIGN_OR_RETURN(
      const bool stored,
      txn.Change("INSERT INTO events (sequence, id, type, at_ms, event) VALUES ($1, $2, $3, $4, $5)"
                 " ON CONFLICT (id) DO NOTHING",
                 {sequence, record.id, record.type, record.at_ms, std::move(message)}));
  if (!stored) return false;
  std::vector<db::Value> arguments = {sequence};
  const std::vector<std::string>& subjects = record.subjects;
  for (auto subject = subjects.begin(); subject != subjects.end();) {
    arguments.resize(1);
    for (; subject != subjects.end() && arguments.size() <= kSubjectsPerInsertMax; ++subject) {
      arguments.emplace_back(*subject);
    }
    DT_RETURN_IF_ERROR(txn.Run(InsertSubjects(arguments.size() - 1), arguments).status());
  }
  return true;
}

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
  const auto zones_of = zones_of_.Get();
  std::vector<EventRecord> records;
  records.reserve(events.size());
  int refused = 0;
  for (const v1::Event* event : events) {
    if (const absl::Status valid = ValidateEvent(*event); !valid.ok()) {
      // Whoever delivers from an outbox would come with it for ever, and with all that waits
      // behind.
      Log(LogLevel::kError, "system_log.event.refused",
          {{"writer", writer.ToString()}, {"status", valid.ToString()}});
      kLogRefused.With().Add();
      records.push_back(MakeRefusal(writer, *event, valid, now));
      ++refused;
      continue;
    }
    if (!MayWrite(writer.role, event->type())) return ForeignType(writer, *event);
    records.push_back(
        MakeRecord(writer, *event, now, limits_.kept_for, zones_of ? *zones_of : ZonesOf()));
  }
  if (records.empty()) return Appended{};
  DT_ASSIGN_OR_RETURN(Appended appended, Store(records, now, [](db::Transaction& /*txn*/) {
                        return absl::OkStatus();
                      }));
  appended.refused = refused;
  return appended;
}

absl::Status SystemLog::AppendWith(const rpc::Caller& writer, const v1::Event& event,
                                   const Change& change) {
  DT_RETURN_IF_ERROR(ValidateEvent(event));
  if (!MayWrite(writer.role, event.type())) return ForeignType(writer, event);
  const WallTime now = clock_.Now();
  const EventRecord record = MakeRecord(writer, event, now, limits_.kept_for, ZonesOf());
  return Store({&record, 1}, now, change).status();
}

absl::StatusOr<SystemLog::Appended> SystemLog::Store(std::span<const EventRecord> records,
                                                     WallTime now, const Change& change) {
  const bool mended = mended_;
  const auto append = [&](db::Transaction& txn) -> absl::StatusOr<std::pair<Appended, Usage>> {
    DT_RETURN_IF_ERROR(change(txn));
    DT_ASSIGN_OR_RETURN(ChainState chain, ReadChain(txn));
    if (!mended) DT_RETURN_IF_ERROR(MendIndexedFrom(txn, chain));
    DT_ASSIGN_OR_RETURN(
        std::int64_t sequence,
        db::NextSequences(txn, kEventSequence, static_cast<std::int64_t>(records.size()),
                          UnixMicros(now)));
    Appended appended;
    std::int64_t bytes = 0;
    for (const EventRecord& record : records) {
      const eventlog::Hash hash = eventlog::LinkHash(chain.hash, sequence, record.content);
      Bytes message = WithLink(record, chain.hash, hash);
      const std::int64_t size = StoredBytes(message);
      DT_ASSIGN_OR_RETURN(const bool stored, Insert(txn, record, sequence, std::move(message)));
      ++(stored ? appended.stored : appended.duplicates);
      if (stored) {
        bytes += size;
        chain.hash = hash;
        chain.sequence = sequence;
      }
      ++sequence;
    }
    if (appended.stored > 0) {
      DT_RETURN_IF_ERROR(WriteChainHead(txn, chain.sequence, chain.hash));
      txn.Announce(kEventSequence);
    }
    DT_ASSIGN_OR_RETURN(const Usage after, AddUsage(txn, bytes, appended.stored));
    return std::pair(appended, after);
  };
  DT_ASSIGN_OR_RETURN(const auto appended, database_.Write(append));
  mended_ = true;
  Measure(appended.second);
  return appended.first;
}

void SystemLog::NameZones(ZonesOf zones_of) {
  zones_of_.Set(std::make_shared<const ZonesOf>(std::move(zones_of)));
}

absl::StatusOr<SystemLog::Page> SystemLog::Search(const v1::EventFilter& filter,
                                                  std::int64_t before, int limit) {
  DT_ASSIGN_OR_RETURN(const EventQuery query, EventQuery::Make(filter));
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Page> {
    DT_ASSIGN_OR_RETURN(const Usage usage, ReadUsage(txn));
    DT_ASSIGN_OR_RETURN(const ChainState chain, ReadChain(txn));
    EventSearch search(txn, query, chain.indexed_from);
    DT_ASSIGN_OR_RETURN(auto found, search.NewestFirst(before == 0 ? kForever : before, limit));
    return Page{std::move(found.events), found.all ? 0 : found.position, usage.deleted_to};
  });
}

absl::StatusOr<SystemLog::Following> SystemLog::After(const v1::EventFilter& filter,
                                                      std::int64_t after, int limit) {
  DT_ASSIGN_OR_RETURN(const EventQuery query, EventQuery::Make(filter));
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Following> {
    DT_ASSIGN_OR_RETURN(const std::int64_t last, db::LastSequence(txn, kEventSequence));
    DT_RETURN_IF_ERROR(rpc::CheckPosition(after, last));
    DT_ASSIGN_OR_RETURN(const Usage usage, ReadUsage(txn));
    DT_ASSIGN_OR_RETURN(const ChainState chain, ReadChain(txn));
    EventSearch search(txn, query, chain.indexed_from);
    DT_ASSIGN_OR_RETURN(auto found, search.OldestFirst(after, limit));
    return Following{std::move(found.events), found.all ? std::max(last, after) : found.position,
                     usage.deleted_to};
  });
}

absl::StatusOr<SystemLog::Counts> SystemLog::Count(const v1::EventFilter& filter,
                                                   std::int64_t before) {
  DT_ASSIGN_OR_RETURN(const EventQuery query, EventQuery::Make(filter));
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<Counts> {
    DT_ASSIGN_OR_RETURN(const ChainState chain, ReadChain(txn));
    EventSearch search(txn, query, chain.indexed_from);
    DT_ASSIGN_OR_RETURN(auto counted, search.Count(before == 0 ? kForever : before));
    return Counts{std::move(counted.by_type), counted.all ? 0 : counted.position};
  });
}

absl::StatusOr<ChainState> SystemLog::Chain() {
  return database_.Read([](db::Transaction& txn) { return ReadChain(txn); });
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
    bytes += StoredBytes(db::Blob(oldest.rows[count][1]));
  }
  if (count == 0) return false;
  const std::int64_t last = events[count - 1].sequence();
  const auto last_hash = eventlog::HashFrom(events[count - 1].chain().hash());
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
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM log_heads WHERE sequence <= $1", {last}).status());
    if (last_hash) DT_RETURN_IF_ERROR(WriteChainAnchor(txn, last, *last_hash));
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

}  // namespace devicetrust::policy
