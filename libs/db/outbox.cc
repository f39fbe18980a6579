#include "libs/db/outbox.h"

#include <fmt/format.h>

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

// The first step finds what an earlier run left behind.
Outbox::Outbox(Database& database, OutboxOptions options, Deliver deliver)
    : database_(database),
      options_(options),
      deliver_(std::move(deliver)),
      retry_(options_.retry_min, options_.retry_max),
      loop_(std::chrono::milliseconds(0), [this] { return Step(); }),
      appended_(database_.WatchTopic(kAppended, [this] { loop_.Wake(); })),
      waiting_(
          kOutboxWaiting.Read({}, [this] { return static_cast<double>(Pending().value_or(0)); })) {}

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

std::chrono::milliseconds Outbox::Step() {
  if (!lingered_) {
    lingered_ = true;
    return options_.linger;
  }
  absl::StatusOr<std::size_t> delivered = DeliverBatch();
  while (delivered.ok() && *delivered == options_.batch_max) delivered = DeliverBatch();
  if (delivered.ok()) {
    if (failing_) Log(LogLevel::kInfo, "outbox.delivery.recovered");
    failing_ = false;
    lingered_ = false;
    retry_.Reset();
    return BackgroundLoop::kUntilWoken;
  }
  kOutboxFailures.With().Add();
  if (!failing_) {
    Log(LogLevel::kWarning, "outbox.delivery.failed", {{"status", delivered.status().ToString()}});
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
  DT_RETURN_IF_ERROR(deliver_(events));
  const std::int64_t last = events.back().sequence;
  DT_RETURN_IF_ERROR(database_.Write([last](Transaction& txn) -> absl::Status {
    txn.Announce(kDelivered);
    return txn.Run("DELETE FROM outbox WHERE sequence <= $1", {last}).status();
  }));
  kOutboxDelivered.With().Add(events.size());
  return events.size();
}

}  // namespace devicetrust::db
