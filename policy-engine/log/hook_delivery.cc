#include "policy-engine/log/hook_delivery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/eventlog/event_json.h"
#include "policy-engine/metrics.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kHookErrorBytesMax = 300;
// A position that has moved by no more than this, in time, is not worth a write.
constexpr std::int64_t kPositionKeptEvery = 3'600'000'000;  // Microseconds, as sequences count.

v1::EventFilter FilterWith(const std::string& expression) {
  v1::EventFilter filter;
  filter.set_expression(expression);
  return filter;
}

}  // namespace

std::string HookKeyPurpose(std::string_view org, std::string_view hook, std::string_view kid) {
  return fmt::format("policy.hook_key/{}/{}/{}", org, hook, kid);
}

absl::StatusOr<std::vector<HookKeyOctets>> OpenHookKeys(const HookParts& parts,
                                                        const std::string& hook) {
  DT_ASSIGN_OR_RETURN(const auto stored, parts.database.Read([&](db::Transaction& txn) {
    return HookStore(txn).Keys(hook);
  }));
  const std::int64_t now = UnixSeconds(parts.clock.Now());
  std::vector<HookKeyOctets> keys;
  for (const StoredHookKey& key : stored) {
    if (key.expires_at != 0 && key.expires_at <= now) continue;
    DT_ASSIGN_OR_RETURN(Bytes octets,
                        pki::Open(parts.kek, HookKeyPurpose(parts.org, hook, key.kid), key.sealed));
    keys.push_back({key.kid, std::move(octets)});
  }
  if (keys.empty()) return absl::FailedPreconditionError("the hook has no key");
  return keys;
}

BackgroundLoop::Pause HookDelivery::Step(const std::function<bool()>& given_up) {
  if (!std::exchange(lingered_, true)) return parts_.limits.linger;
  const absl::StatusOr<Batch> batch = NextBatch();
  if (!batch.ok()) {
    Log(LogLevel::kWarning, "hook.delivery.failed",
        {{"hook", name_}, {"status", batch.status().ToString()}});
    return parts_.limits.retry_max;
  }
  if (batch->events.empty()) {
    lingered_ = false;
    return BackgroundLoop::kUntilWoken;
  }
  const absl::Status sent = Send(*batch, given_up);
  if (!sent.ok() && given_up()) return BackgroundLoop::kUntilWoken;
  kHookDeliveries.With({name_, sent.ok() ? "OK" : "FAILED"}).Add();
  if (const absl::Status kept = Record(*batch, sent); !kept.ok()) {
    Log(LogLevel::kWarning, "hook.delivery.failed", {{"hook", name_}, {"status", kept.ToString()}});
    return parts_.limits.retry_max;  // It comes again, under the same delivery.
  }
  if (sent.ok()) return std::chrono::milliseconds(0);
  return RetryAfter(batch->tries + 1);
}

absl::StatusOr<HookDelivery::Batch> HookDelivery::NextBatch() {
  std::optional<StoredHook> hook;
  std::optional<StoredDeadLetter> letter;
  DT_RETURN_IF_ERROR(parts_.database.Read([&](db::Transaction& txn) -> absl::Status {
    HookStore store(txn);
    DT_ASSIGN_OR_RETURN(hook, store.Find(name_));
    DT_ASSIGN_OR_RETURN(letter, store.FirstDue(name_));
    return absl::OkStatus();
  }));
  if (!hook || !hook->enabled) return Batch();
  if (letter) {
    DT_ASSIGN_OR_RETURN(Batch batch, BatchOfLetter(*hook, *letter));
    if (!batch.events.empty()) return batch;
    // Its events are deleted by now.
    Log(LogLevel::kWarning, "hook.dead_letter.lost", {{"hook", name_}, {"events", letter->events}});
    DT_RETURN_IF_ERROR(parts_.database.Write(
        [&](db::Transaction& txn) { return HookStore(txn).RemoveDeadLetter(letter->id); }));
    return NextBatch();
  }
  return BatchOfNews(*std::move(hook));
}

absl::StatusOr<HookDelivery::Batch> HookDelivery::BatchOfLetter(const StoredHook& hook,
                                                                const StoredDeadLetter& letter) {
  Batch batch;
  batch.letter = letter;
  batch.url = hook.url;
  batch.expression = letter.expression;
  batch.after = letter.after;
  batch.tries = letter.tries;
  DT_ASSIGN_OR_RETURN(auto following, parts_.log.After(FilterWith(letter.expression), letter.after,
                                                       parts_.limits.batch_events_max));
  std::erase_if(following.events,
                [&letter](const v1::Event& event) { return event.sequence() > letter.last; });
  Fill(batch, following.events, letter.last);
  batch.last = letter.last;
  return batch;
}

absl::StatusOr<HookDelivery::Batch> HookDelivery::BatchOfNews(StoredHook hook) {
  Batch batch;
  batch.url = hook.url;
  batch.expression = hook.expression;
  batch.tries = hook.tries;
  for (;;) {
    batch.after = std::max(hook.position, looked_to_);
    const auto following =
        parts_.log.After(FilterWith(hook.expression), batch.after, parts_.limits.batch_events_max);
    if (absl::IsOutOfRange(following.status())) {
      DT_RETURN_IF_ERROR(StartOver(hook));
      continue;
    }
    DT_RETURN_IF_ERROR(following.status());
    if (batch.after > 0 && following->deleted_to > batch.after) {
      Log(LogLevel::kWarning, "hook.events.lost",
          {{"hook", name_}, {"after", batch.after}, {"deleted_to", following->deleted_to}});
      kHookLost.With({name_}).Add();
    }
    if (!following->events.empty()) {
      Fill(batch, following->events, following->sequence);
      return batch;
    }
    if (following->sequence == batch.after) return batch;
    looked_to_ = following->sequence;
    if (looked_to_ - hook.position < kPositionKeptEvery) continue;
    hook.position = looked_to_;
    DT_RETURN_IF_ERROR(parts_.database.Write(
        [&hook](db::Transaction& txn) { return HookStore(txn).Update(hook); }));
  }
}

// The store was restored from an older copy, and was not as far as this hook.
absl::Status HookDelivery::StartOver(StoredHook& hook) {
  DT_ASSIGN_OR_RETURN(hook.position, parts_.log.LastSequence());
  looked_to_ = 0;
  Log(LogLevel::kWarning, "hook.position.reset", {{"hook", name_}, {"position", hook.position}});
  return parts_.database.Write(
      [&hook](db::Transaction& txn) { return HookStore(txn).Update(hook); });
}

// As many as fit, at least one.
void HookDelivery::Fill(Batch& batch, const std::vector<v1::Event>& events,
                        std::int64_t looked_to) const {
  std::size_t bytes = 0;
  batch.last = looked_to;
  for (const v1::Event& event : events) {
    std::string json = eventlog::EventJson(event);
    bytes += json.size();
    if (!batch.events.empty() && bytes > parts_.limits.batch_bytes_max) return;
    batch.events.push_back(std::move(json));
    const bool is_last = &event == &events.back();
    batch.last = is_last ? looked_to : event.sequence();
  }
}

absl::Status HookDelivery::Send(const Batch& batch, const std::function<bool()>& given_up) {
  DT_ASSIGN_OR_RETURN(const auto keys, OpenHookKeys(parts_, name_));
  const std::string delivery = fmt::format("{}/{}-{}", name_, batch.after, batch.last);
  return parts_.post(batch.url,
                     SignHookMessage(delivery, HookBody(name_, delivery, batch.events),
                                     UnixSeconds(parts_.clock.Now()), keys),
                     HookDeadlines(), given_up);
}

absl::Status HookDelivery::Record(const Batch& batch, const absl::Status& sent) {
  const std::int64_t now = UnixSeconds(parts_.clock.Now());
  const std::string error =
      CutText(sent.ok() ? std::string() : std::string(sent.message()), kHookErrorBytesMax);
  const bool dies = !sent.ok() && batch.tries + 1 >= parts_.limits.tries_max;
  const auto count = static_cast<std::int64_t>(batch.events.size());
  const auto record = [&](db::Transaction& txn) -> absl::StatusOr<std::int64_t> {
    HookStore store(txn);
    DT_ASSIGN_OR_RETURN(std::optional<StoredHook> hook, store.Find(name_));
    if (!hook) return std::int64_t{0};
    hook->last_error = error;
    if (sent.ok()) hook->delivered_at = now;
    if (!sent.ok()) hook->last_error_at = now;
    if (batch.letter) {
      StoredDeadLetter letter = *batch.letter;
      letter.tries = batch.tries + 1;
      letter.due = !dies;
      letter.error = error;
      DT_RETURN_IF_ERROR(sent.ok() ? store.RemoveDeadLetter(letter.id)
                                   : store.UpdateDeadLetter(letter));
    } else {
      hook->tries = sent.ok() || dies ? 0 : batch.tries + 1;
      if (sent.ok() || dies) hook->position = batch.last;
      if (dies) {
        DT_RETURN_IF_ERROR(store.Bury(
            name_, {0, batch.after, batch.last, batch.expression, count, 0, false, error, now}));
      }
    }
    DT_RETURN_IF_ERROR(store.Update(*hook));
    return store.KeepNewest(name_, parts_.limits.dead_letters_max);
  };
  DT_ASSIGN_OR_RETURN(const std::int64_t dropped, parts_.database.Write(record));
  if (dies) {
    kHookDeadLetters.With({name_}).Add();
    Log(LogLevel::kError, "hook.delivery.dead",
        {{"hook", name_}, {"events", count}, {"error", error}});
  }
  if (dropped > 0) {
    Log(LogLevel::kError, "hook.dead_letter.dropped", {{"hook", name_}, {"count", dropped}});
  }
  return absl::OkStatus();
}

// Between half of it and all: those that failed together do not come again together.
std::chrono::milliseconds HookDelivery::RetryAfter(std::int64_t tries) {
  const HookLimits& limits = parts_.limits;
  std::chrono::milliseconds longest = limits.retry_min;
  for (std::int64_t i = 1; i < tries && longest < limits.retry_max; ++i) longest *= 2;
  longest = std::min(longest, limits.retry_max);
  std::array<std::uint8_t, 2> octets{};
  if (!parts_.random.Fill(octets).ok()) return longest;
  const int part = octets[0] * 256 + octets[1];
  return longest / 2 + longest * part / (2 * 65'536);
}

}  // namespace devicetrust::policy
