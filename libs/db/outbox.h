// Events that leave with the change they tell of: written in its transaction, delivered
// afterwards, at least once and in order: docs/adr/0007.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/backoff.h"
#include "libs/base/bytes.h"
#include "libs/db/database.h"
#include "libs/metrics/metrics.h"

namespace devicetrust::db {

struct OutboxEvent {
  std::int64_t sequence;  // In commit order.
  std::string event_id;   // By which the receiver drops doubles.
  Bytes payload;
};

struct OutboxOptions {
  std::int64_t backlog_max = 100'000;        // Events; see RefuseWhenFull().
  std::size_t batch_max = 256;               // Events in one delivery.
  std::chrono::milliseconds linger{50};      // Waited for company before a delivery.
  std::chrono::milliseconds retry_min{100};  // After a failure; doubles up to the next.
  std::chrono::milliseconds retry_max{5'000};
  std::chrono::milliseconds parked_retry{3'600'000};  // Between attempts at what is parked.
};

// Thread-safe. Owns one thread, which delivers.
class Outbox {
 public:
  // The receiver has all of `events` durably once this returns OK; after an error all of
  // them come again. kUnimplemented: one of them is of a kind that the receiver does not know,
  // being of an older release, and none was taken; that one is found and parked. Should end within
  // some seconds: it holds up Stop().
  using Deliver = std::function<absl::Status(std::span<const OutboxEvent> events)>;

  // The outbox's tables, as schema steps of the component that has one.
  static Migration Tables(int version);
  // Of what is parked: it holds up nobody, and is tried again after a start, and each
  // `parked_retry`, since the receiver may be of another release by then.
  static Migration ParkedTables(int version);

  // Begins with what an earlier run left behind. `database` must outlive it.
  Outbox(Database& database, OutboxOptions options, Deliver deliver);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Adds an event to the transaction; it is delivered if and when that commits.
  // kAlreadyExists: the event id waits already.
  absl::Status Append(Transaction& txn, const std::string& event_id, const Bytes& payload);

  // kUnavailable while `backlog_max` events wait, for changes that can be put off. What
  // must never stop (a revocation) does not ask.
  absl::Status RefuseWhenFull(Transaction& txn) const;

  absl::StatusOr<std::int64_t> Pending();  // Committed, not parked, and not yet delivered.
  absl::StatusOr<std::int64_t> Parked();

  // True once nothing waits; false after `timeout`. Not after Stop().
  bool WaitUntilEmpty(std::chrono::milliseconds timeout);

  // Ends delivery; what waits stays in the store. Idempotent.
  void Stop();

 private:
  BackgroundLoop::Pause Step();
  absl::StatusOr<std::vector<OutboxEvent>> NextBatch();
  // The number that wait no more; 0 when nothing waits.
  absl::StatusOr<std::size_t> DeliverBatch();
  absl::Status Finish(std::span<const OutboxEvent> events);
  absl::Status DeliverOneByOne(std::span<const OutboxEvent> events);
  absl::Status Park(const OutboxEvent& event, const absl::Status& why);
  // Tries what is parked, once it is time for that. Returns when it is again.
  absl::StatusOr<BackgroundLoop::Pause> DeliverParked();

  Database& database_;
  const OutboxOptions options_;
  const Deliver deliver_;
  // Of the loop's thread alone, as the next three.
  Backoff retry_;
  bool failing_ = false;
  bool lingered_ = false;
  std::chrono::steady_clock::time_point parked_tried_at_{};
  BackgroundLoop loop_;
  const Watch appended_;
  const metrics::Reading waiting_;
  const metrics::Reading parked_;
};

}  // namespace devicetrust::db
