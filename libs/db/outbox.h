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
};

// Thread-safe. Owns one thread, which delivers.
class Outbox {
 public:
  // The receiver has all of `events` durably once this returns OK; after an error all of
  // them come again. Should end within some seconds: it holds up Stop().
  using Deliver = std::function<absl::Status(std::span<const OutboxEvent> events)>;

  // The outbox's table, as a schema step of the component that has one.
  static Migration Tables(int version);

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

  absl::StatusOr<std::int64_t> Pending();  // Committed and not yet delivered.

  // True once nothing waits; false after `timeout`. Not after Stop().
  bool WaitUntilEmpty(std::chrono::milliseconds timeout);

  // Ends delivery; what waits stays in the store. Idempotent.
  void Stop();

 private:
  std::chrono::milliseconds Step();
  absl::StatusOr<std::vector<OutboxEvent>> NextBatch();
  // The number delivered; 0 when nothing waits.
  absl::StatusOr<std::size_t> DeliverBatch();

  Database& database_;
  const OutboxOptions options_;
  const Deliver deliver_;
  // Of the loop's thread alone, as the next two.
  Backoff retry_;
  bool failing_ = false;
  bool lingered_ = false;
  BackgroundLoop loop_;
  const Watch appended_;
  const metrics::Reading waiting_;
};

}  // namespace devicetrust::db
