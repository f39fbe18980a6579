#include "libs/db/outbox.h"

#include <fmt/format.h>

#include <algorithm>

#include "libs/base/log.h"

namespace devicetrust::db {
namespace {

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
          {"CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE,"
           " payload BYTEA NOT NULL)"}};
}

Outbox::Outbox(Database& database, OutboxOptions options, Deliver deliver)
    : database_(database),
      options_(options),
      deliver_(std::move(deliver)),
      signal_(std::make_shared<Signal>()) {
  database_.OnCommit([weak = std::weak_ptr<Signal>(signal_)] {
    if (const auto signal = weak.lock()) signal->wake.notify_all();
  });
  thread_ = std::thread([this] { Run(); });
}

Outbox::~Outbox() { Stop(); }

void Outbox::Stop() {
  {
    const std::lock_guard lock(signal_->mutex);
    signal_->stopping = true;
  }
  signal_->wake.notify_all();
  if (thread_.joinable()) thread_.join();
}

absl::Status Outbox::Append(Transaction& txn, const std::string& event_id, const Bytes& payload) {
  DT_ASSIGN_OR_RETURN(const std::int64_t sequence, NextSequence(txn, "outbox"));
  DT_RETURN_IF_ERROR(txn.Run("INSERT INTO outbox (sequence, event_id, payload) VALUES ($1, $2, $3)",
                             {sequence, event_id, payload})
                         .status());
  const std::lock_guard lock(signal_->mutex);
  signal_->appended = true;
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
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto pending = Pending();
    if (pending.ok() && *pending == 0) return true;
    std::unique_lock lock(signal_->mutex);
    if (signal_->stopping || std::chrono::steady_clock::now() >= end) return false;
    // Every delivery is a commit and wakes us; the bound covers a missed one.
    signal_->wake.wait_for(lock, std::chrono::milliseconds(50));
  }
}

bool Outbox::Sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(signal_->mutex);
  return !signal_->wake.wait_for(lock, time, [this] { return signal_->stopping; });
}

void Outbox::Run() {
  auto retry = options_.retry_min;
  bool failing = false;
  for (;;) {
    {
      // Looks at the store now and then even unasked: another replica may have appended.
      std::unique_lock lock(signal_->mutex);
      signal_->wake.wait_for(lock, std::chrono::seconds(failing ? 0 : 1),
                             [this] { return signal_->stopping || signal_->appended; });
      if (signal_->stopping) return;
      signal_->appended = false;
    }
    if (!Sleep(failing ? retry : options_.linger)) return;

    absl::StatusOr<std::size_t> delivered = DeliverBatch();
    while (delivered.ok() && *delivered == options_.batch_max) delivered = DeliverBatch();
    if (delivered.ok()) {
      if (failing) Log(LogLevel::kInfo, "outbox.delivery.recovered");
      failing = false;
      retry = options_.retry_min;
      continue;
    }
    if (!failing) {
      Log(LogLevel::kWarning, "outbox.delivery.failed",
          {{"status", delivered.status().ToString()}});
    } else {
      retry = std::min(retry * 2, options_.retry_max);
    }
    failing = true;
  }
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
    return txn.Run("DELETE FROM outbox WHERE sequence <= $1", {last}).status();
  }));
  return events.size();
}

}  // namespace devicetrust::db
