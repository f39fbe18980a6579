// Delivers one event hook: batches of events in their order, one at a time, again until they arrive
// or are given up. The log itself is the queue; the store keeps how far the hook has come.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/background_loop.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/pki/aead.h"
#include "policy-engine/log/hook_poster.h"
#include "policy-engine/log/hook_store.h"
#include "policy-engine/log/system_log.h"

namespace devicetrust::policy {

struct HookLimits {
  std::int64_t tries_max = 12;  // Some 25 minutes; then the delivery is a dead letter.
  std::chrono::milliseconds retry_min{1'000};  // Doubles up to the next, less up to a half.
  std::chrono::milliseconds retry_max{300'000};
  std::chrono::milliseconds linger{200};  // Waited for company before a delivery.
  int batch_events_max = 100;
  std::size_t batch_bytes_max = 512 * 1024;
  std::int64_t dead_letters_max = 1000;  // Deliveries of a hook; the oldest go.
  std::size_t hooks_max = 20;            // Each has a thread.
};

// What deliveries and changes of hooks work with. All but values must outlive them.
struct HookParts {
  db::Database& database;  // The System Log's.
  SystemLog& log;
  const pki::AeadKey& kek;
  std::string org;
  const Clock& clock;
  Random& random;
  PostHook post;
  HookLimits limits = {};
};

std::string HookKeyPurpose(std::string_view org, std::string_view hook, std::string_view kid);

// The keys that sign now, newest first.
absl::StatusOr<std::vector<HookKeyOctets>> OpenHookKeys(const HookParts& parts,
                                                        const std::string& hook);

// One thread at a time.
class HookDelivery {
 public:
  // `parts` must outlive this.
  HookDelivery(const HookParts& parts, std::string name) : parts_(parts), name_(std::move(name)) {}

  // Delivers one batch, at most. Returns how long to wait before the next step. A try that ended
  // because of `given_up` does not count.
  BackgroundLoop::Pause Step(const std::function<bool()>& given_up);

 private:
  struct Batch {
    std::optional<StoredDeadLetter> letter;  // It is sent again.
    std::string url;
    std::string expression;
    std::int64_t after = 0;
    std::int64_t last = 0;            // Everything up to here is in it, or does not match.
    std::vector<std::string> events;  // JSON; empty: there is nothing to deliver.
    std::int64_t tries = 0;
  };

  absl::StatusOr<Batch> NextBatch();
  absl::StatusOr<Batch> BatchOfLetter(const StoredHook& hook, const StoredDeadLetter& letter);
  absl::StatusOr<Batch> BatchOfNews(StoredHook hook);
  absl::Status StartOver(StoredHook& hook);
  void Fill(Batch& batch, const std::vector<org::v1::Event>& events, std::int64_t looked_to) const;
  absl::Status Send(const Batch& batch, const std::function<bool()>& given_up);
  absl::Status Record(const Batch& batch, const absl::Status& sent);
  std::chrono::milliseconds RetryAfter(std::int64_t tries);

  const HookParts& parts_;
  const std::string name_;
  bool lingered_ = false;
  std::int64_t looked_to_ = 0;  // Events from the kept position up to here do not match.
};

}  // namespace devicetrust::policy
