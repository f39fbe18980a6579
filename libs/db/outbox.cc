#include "libs/db/outbox.h"

#include <fmt/format.h>

#include <limits>

#include "libs/base/change_signal.h"
#include "libs/base/log.h"
#include "libs/db/metrics.h"
#include "libs/db/sequence.h"

namespace devicetrust::db {
namespace {

// Topics of Transaction::Announce().
constexpr std::string_view kAppended = "outbox.appended";
constexpr std::string_view kDelivered = "outbox.delivered";

// Sequence numbers have no gaps and leave from the front, so two look-ups at the ends
// count the rows between.
absl::StatusOr<std::int64_t> CountWaiting(Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT (SELECT min(sequence) FROM outbox),"
                                               " (SELECT max(sequence) FROM outbox)"));
  const Row& ends = rows.at(0);
  return IsNull(ends[0]) ? 0 : Int(ends[1]) - Int(ends[0]) + 1;
}

}  // namespace

Migration Outbox::Tables(int version) {
  return {version,
          "outbox",
          {{.name = "outbox",
            .number_key = "sequence",
            .columns = "event_id TEXT NOT NULL UNIQUE, payload BYTEA NOT NULL"}}};
}

Migration Outbox::ParkedTables(int version) {
  return {version,
          "parked events",
          {{.name = "outbox_parked",
            .number_key = "sequence",
            .columns = "event_id TEXT NOT NULL, payload BYTEA NOT NULL"}}};
}

// The first step finds what an earlier run left behind.
Outbox::Outbox(Database& database, OutboxOptions options, Deliver deliver)
    : database_(database),
      options_(options),
      deliver_(std::move(deliver)),
      retry_(options_.retry_min, options_.retry_max),
      loop_(std::chrono::milliseconds(0), [this] { return Step(); }),
      appended_(database_.WatchTopic(kAppended, [this] { loop_.Wake(); })),
      waiting_(
          kOutboxWaiting.Read({}, [this] { return static_cast<double>(Pending().value_or(0)); })),
      parked_(
          kOutboxParked.Read({}, [this] { return static_cast<double>(Parked().value_or(0)); })) {}

Outbox::~Outbox() { Stop(); }

void Outbox::Stop() { loop_.Stop(); }

absl::Status Outbox::Append(Transaction& txn, const std::string& event_id, const Bytes& payload) {
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence, NextSequence(txn, "outbox"));
  DT_RETURN_IF_ERROR(txn.Run("INSERT INTO outbox (sequence, event_id, payload) VALUES ($1, $2, $3)",
                             {sequence, event_id, payload})
                         .status());
  txn.Announce(kAppended);
  return absl::OkStatus();
}

absl::Status Outbox::RefuseWhenFull(Transaction& txn) const {
  DT_ASSIGN_OR_RETURN(const std::int64_t waiting, CountWaiting(txn));
  if (waiting < options_.backlog_max) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("{} events wait for the System Log: bring it back, then retry", waiting));
}

absl::StatusOr<std::int64_t> Outbox::Pending() { return database_.Read(&CountWaiting); }

absl::StatusOr<std::int64_t> Outbox::Parked() {
  return database_.Read([](Transaction& txn) -> absl::StatusOr<std::int64_t> {
    DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT COUNT(*) FROM outbox_parked"));
    return Int(rows.at(0)[0]);
  });
}

bool Outbox::WaitUntilEmpty(std::chrono::milliseconds timeout) {
  using std::chrono::milliseconds;
  const auto end = std::chrono::steady_clock::now() + timeout;
  ChangeSignal delivered;
  const Watch watch = database_.WatchTopic(kDelivered, [&delivered] { delivered.Fire(); });
  for (;;) {
    const std::uint64_t seen = delivered.Generation();
    const auto pending = Pending();
    if (pending.ok() && *pending == 0) return true;
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    if (left <= milliseconds(0)) return false;
    delivered.WaitForChange(seen, left);
  }
}

BackgroundLoop::Pause Outbox::Step() {
  if (!lingered_) {
    lingered_ = true;
    return options_.linger;
  }
  absl::StatusOr<std::size_t> delivered = DeliverBatch();
  while (delivered.ok() && *delivered == options_.batch_max) delivered = DeliverBatch();
  const absl::StatusOr<BackgroundLoop::Pause> pause =
      delivered.ok() ? DeliverParked() : delivered.status();
  if (pause.ok()) {
    if (failing_) Log(LogLevel::kInfo, "outbox.delivery.recovered");
    failing_ = false;
    lingered_ = false;
    retry_.Reset();
    return *pause;
  }
  kOutboxFailures.With().Add();
  if (!failing_) {
    Log(LogLevel::kWarning, "outbox.delivery.failed", {{"status", pause.status().ToString()}});
  }
  failing_ = true;
  return retry_.Next();
}

absl::StatusOr<std::vector<OutboxEvent>> Outbox::NextBatch() {
  return database_.Read([this](Transaction& txn) -> absl::StatusOr<std::vector<OutboxEvent>> {
    DT_ASSIGN_OR_RETURN(auto rows, txn.Run("SELECT sequence, event_id, payload FROM outbox"
                                           " ORDER BY sequence LIMIT $1",
                                           {static_cast<std::int64_t>(options_.batch_max)}));
    std::vector<OutboxEvent> events;
    events.reserve(rows.size());
    for (Row& row : rows) {
      events.push_back({Int(row[0]), std::get<std::string>(std::move(row[1])),
                        std::get<Bytes>(std::move(row[2]))});
    }
    return events;
  });
}

absl::StatusOr<std::size_t> Outbox::DeliverBatch() {
  DT_ASSIGN_OR_RETURN(const std::vector<OutboxEvent> events, NextBatch());
  if (events.empty()) return 0;
  const absl::Status delivered = deliver_(events);
  if (absl::IsUnimplemented(delivered)) {
    DT_RETURN_IF_ERROR(DeliverOneByOne(events));
    return events.size();
  }
  DT_RETURN_IF_ERROR(delivered);
  DT_RETURN_IF_ERROR(Finish(events));
  return events.size();
}

absl::Status Outbox::Finish(std::span<const OutboxEvent> events) {
  const std::int64_t last = events.back().sequence;
  DT_RETURN_IF_ERROR(database_.Write([last](Transaction& txn) -> absl::Status {
    txn.Announce(kDelivered);
    return txn.Run("DELETE FROM outbox WHERE sequence <= $1", {last}).status();
  }));
  kOutboxDelivered.With().Add(events.size());
  return absl::OkStatus();
}

absl::Status Outbox::DeliverOneByOne(std::span<const OutboxEvent> events) {
  for (const OutboxEvent& event : events) {
    const absl::Status delivered = deliver_({&event, 1});
    if (absl::IsUnimplemented(delivered)) {
      DT_RETURN_IF_ERROR(Park(event, delivered));
    } else {
      DT_RETURN_IF_ERROR(delivered);
      DT_RETURN_IF_ERROR(Finish({&event, 1}));
    }
  }
  return absl::OkStatus();
}

absl::Status Outbox::Park(const OutboxEvent& event, const absl::Status& why) {
  const auto park = [&event](Transaction& txn) -> absl::Status {
    txn.Announce(kDelivered);
    DT_RETURN_IF_ERROR(txn.Run("INSERT INTO outbox_parked (sequence, event_id, payload)"
                               " VALUES ($1, $2, $3)",
                               {event.sequence, event.event_id, event.payload})
                           .status());
    return txn.Run("DELETE FROM outbox WHERE sequence <= $1", {event.sequence}).status();
  };
  DT_RETURN_IF_ERROR(database_.Write(park));
  Log(LogLevel::kWarning, "outbox.event.parked",
      {{"event_id", event.event_id}, {"status", why.ToString()}});
  return absl::OkStatus();
}

absl::StatusOr<BackgroundLoop::Pause> Outbox::DeliverParked() {
  using std::chrono::steady_clock;
  DT_ASSIGN_OR_RETURN(const std::int64_t parked, Parked());
  if (parked == 0) return BackgroundLoop::Pause(BackgroundLoop::kUntilWoken);
  const bool due = parked_tried_at_ == steady_clock::time_point() ||
                   steady_clock::now() - parked_tried_at_ >= options_.parked_retry;
  std::int64_t after = due ? 0 : std::numeric_limits<std::int64_t>::max();
  for (;;) {
    DT_ASSIGN_OR_RETURN(auto rows, database_.Read([&](Transaction& txn) {
      return txn.Run(
          "SELECT sequence, event_id, payload FROM outbox_parked"
          " WHERE sequence > $1 ORDER BY sequence LIMIT 1",
          {after});
    }));
    if (rows.empty() || loop_.stopping()) break;
    const OutboxEvent event{Int(rows[0][0]), Text(rows[0][1]), Blob(rows[0][2])};
    after = event.sequence;
    const absl::Status delivered = deliver_({&event, 1});
    if (absl::IsUnimplemented(delivered)) continue;
    DT_RETURN_IF_ERROR(delivered);
    DT_RETURN_IF_ERROR(database_.Write([&event](Transaction& txn) {
      return txn.Run("DELETE FROM outbox_parked WHERE sequence = $1", {event.sequence}).status();
    }));
    kOutboxDelivered.With().Add();
  }
  if (due) parked_tried_at_ = steady_clock::now();
  return BackgroundLoop::AtMost(options_.parked_retry);
}

}  // namespace devicetrust::db
