#include "policy-engine/log/event_hooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/events.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kHookNameBytesMax = 40;
constexpr std::size_t kHookKeyOctets = 32;
constexpr int kOverlapHoursDefault = 24;
constexpr int kOverlapHoursMax = 720;
constexpr HookDeadlines kTestDeadlines{std::chrono::milliseconds(1'500),
                                       std::chrono::milliseconds(1'500)};

absl::Status BadHook(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message));
}

absl::Status UnknownHook(const std::string& name) {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                        fmt::format("there is no hook '{}'", name), name,
                        "`dtctl hooks list` names them.");
}

absl::Status CheckHookName(const std::string& name) {
  const auto allowed = [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; };
  if (name.size() <= kHookNameBytesMax && IsAll(name, allowed)) return absl::OkStatus();
  return BadHook(fmt::format("a hook's name is 1 to {} of a-z, 0-9 and dashes", kHookNameBytesMax));
}

// Another has the name, or there are too many.
absl::Status RefuseHook(HookStore& store, const std::string& name, std::size_t hooks_max) {
  DT_ASSIGN_OR_RETURN(const auto hooks, store.List());
  for (const StoredHook& other : hooks) {
    if (other.name != name) continue;
    return rpc::MakeError(absl::StatusCode::kAlreadyExists, reason::v1::REASON_ALREADY_EXISTS,
                          fmt::format("there is a hook '{}' already", name), name,
                          "Remove it first, or take another name.");
  }
  if (hooks.size() < hooks_max) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_CONFLICTING_STATE,
                        fmt::format("there are {} hooks, which is the most", hooks.size()), {},
                        "Remove one, or let one receiver hand events on.");
}

void SetTime(std::int64_t seconds, google::protobuf::Timestamp* time) {
  time->set_seconds(seconds);
}

}  // namespace

struct EventHooks::Runner {
  Runner(const HookParts& parts, std::string hook)
      : name(hook), delivery(parts, std::move(hook)), loop(std::chrono::milliseconds(0), [this] {
          return delivery.Step([this] { return stopping.load(); });
        }) {}

  // Before it is let go of: whoever does that last may be the store's writer, which must not wait.
  void Stop() {
    stopping = true;
    loop.Stop();
  }

  const std::string name;
  std::atomic<bool> stopping = false;
  HookDelivery delivery;
  BackgroundLoop loop;
};

EventHooks::EventHooks(HookParts parts, bool private_addresses)
    : parts_(std::move(parts)),
      private_addresses_(private_addresses),
      runners_(std::make_shared<const Runners>()),
      appended_(parts_.database.WatchTopic(kEventsTopic, [this] {
        for (const auto& runner : *runners_.Get()) runner->loop.Wake();
      })) {}

EventHooks::~EventHooks() { Stop(); }

absl::Status EventHooks::Start() {
  const MutexLock lock(mutex_);
  running_ = true;
  DT_ASSIGN_OR_RETURN(const auto hooks, parts_.database.Read([](db::Transaction& txn) {
    return HookStore(txn).List();
  }));
  for (const StoredHook& hook : hooks) DT_RETURN_IF_ERROR(Restart(hook.name));
  return absl::OkStatus();
}

void EventHooks::Stop() {
  const MutexLock lock(mutex_);
  running_ = false;
  const auto runners = runners_.Get();
  runners_.Set(std::make_shared<const Runners>());
  for (const auto& runner : *runners) runner->stopping = true;
  for (const auto& runner : *runners) runner->Stop();
}

absl::Status EventHooks::Restart(const std::string& name) {
  const auto before = runners_.Get();
  Runners left;
  for (const auto& runner : *before) {
    if (runner->name != name) left.push_back(runner);
  }
  runners_.Set(std::make_shared<const Runners>(left));
  for (const auto& runner : *before) {
    if (runner->name == name) runner->Stop();
  }
  if (!running_) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const auto hook, parts_.database.Read([&](db::Transaction& txn) {
    return HookStore(txn).Find(name);
  }));
  if (!hook) return absl::OkStatus();
  left.push_back(std::make_shared<Runner>(parts_, name));
  runners_.Set(std::make_shared<const Runners>(std::move(left)));
  return absl::OkStatus();
}

absl::Status EventHooks::Change(const rpc::Caller& admin, const std::string& name,
                                const std::string& what,
                                const std::function<absl::Status(HookStore&)>& change) {
  v1::Event event = EventBuilder("org.hook.change", "Event hook changed", parts_.clock.Now())
                        .Actor(admin)
                        .Target("EventHook", name, fmt::format("{} {}", name, what))
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  DT_ASSIGN_OR_RETURN(*event.mutable_id(), NewRandomId(parts_.random));
  return parts_.log.AppendWith(TheOrg(), event, [&change](db::Transaction& txn) {
    HookStore store(txn);
    return change(store);
  });
}

absl::StatusOr<v1::EventHook> EventHooks::Describe(HookStore& store, const StoredHook& hook) {
  v1::EventHook out;
  out.set_name(hook.name);
  out.set_url(hook.url);
  out.set_expression(hook.expression);
  out.set_enabled(hook.enabled);
  SetTime(hook.created_at, out.mutable_created_at());
  out.set_created_by(hook.created_by);
  out.set_position(hook.position);
  out.set_tries(static_cast<std::int32_t>(hook.tries));
  if (hook.delivered_at != 0) SetTime(hook.delivered_at, out.mutable_delivered_at());
  out.set_last_error(hook.last_error);
  if (hook.last_error_at != 0) SetTime(hook.last_error_at, out.mutable_last_error_at());
  DT_ASSIGN_OR_RETURN(const std::int64_t letters, store.CountDeadLetters(hook.name));
  out.set_dead_letters(static_cast<std::int32_t>(letters));
  DT_ASSIGN_OR_RETURN(const auto keys, store.Keys(hook.name));
  for (const StoredHookKey& key : keys) {
    v1::HookKey& shown = *out.add_keys();
    shown.set_id(key.kid);
    SetTime(key.created_at, shown.mutable_created_at());
    if (key.expires_at != 0) SetTime(key.expires_at, shown.mutable_expires_at());
  }
  return out;
}

absl::StatusOr<v1::EventHook> EventHooks::Get(const std::string& name) {
  return parts_.database.Read([&](db::Transaction& txn) -> absl::StatusOr<v1::EventHook> {
    HookStore store(txn);
    DT_ASSIGN_OR_RETURN(const auto hook, store.Find(name));
    if (!hook) return UnknownHook(name);
    return Describe(store, *hook);
  });
}

absl::StatusOr<std::pair<StoredHookKey, v1::HookSecret>> EventHooks::NewKey(
    const std::string& name) {
  StoredHookKey key;
  DT_ASSIGN_OR_RETURN(const std::string id, NewRandomHex(6, parts_.random));
  key.kid = "hk-" + id;
  key.created_at = UnixSeconds(parts_.clock.Now());
  Bytes octets(kHookKeyOctets);
  DT_RETURN_IF_ERROR(parts_.random.Fill(octets));
  DT_ASSIGN_OR_RETURN(key.sealed, pki::Seal(parts_.kek, HookKeyPurpose(parts_.org, name, key.kid),
                                            octets, parts_.random));
  v1::HookSecret secret;
  secret.set_key_id(key.kid);
  secret.set_secret(HexEncode(octets));
  return std::pair(std::move(key), std::move(secret));
}

absl::StatusOr<v1::AddHookResponse> EventHooks::Add(const rpc::Caller& admin,
                                                    const v1::AddHookRequest& request) {
  DT_RETURN_IF_ERROR(CheckHookName(request.name()));
  DT_RETURN_IF_ERROR(CheckHookUrl(request.url(), private_addresses_));
  v1::EventFilter filter;
  filter.set_expression(request.expression());
  DT_RETURN_IF_ERROR(EventQuery::Make(filter).status());
  v1::AddHookResponse response;
  DT_ASSIGN_OR_RETURN(auto key, NewKey(request.name()));
  *response.mutable_secret() = std::move(key.second);

  const MutexLock lock(mutex_);
  StoredHook hook;
  hook.name = request.name();
  hook.url = request.url();
  hook.expression = request.expression();
  hook.created_at = UnixSeconds(parts_.clock.Now());
  hook.created_by = admin.ToString();
  DT_ASSIGN_OR_RETURN(hook.position, parts_.log.LastSequence());
  const auto insert = [&](HookStore& store) -> absl::Status {
    DT_RETURN_IF_ERROR(RefuseHook(store, hook.name, parts_.limits.hooks_max));
    DT_RETURN_IF_ERROR(store.Insert(hook));
    return store.InsertKey(hook.name, key.first);
  };
  DT_RETURN_IF_ERROR(Change(admin, hook.name, "added: " + hook.url, insert));
  DT_RETURN_IF_ERROR(Restart(hook.name));
  DT_ASSIGN_OR_RETURN(*response.mutable_hook(), Get(hook.name));
  return response;
}

absl::StatusOr<v1::ListHooksResponse> EventHooks::List() {
  return parts_.database.Read([&](db::Transaction& txn) -> absl::StatusOr<v1::ListHooksResponse> {
    HookStore store(txn);
    v1::ListHooksResponse response;
    DT_ASSIGN_OR_RETURN(const auto hooks, store.List());
    for (const StoredHook& hook : hooks) {
      DT_ASSIGN_OR_RETURN(*response.add_hooks(), Describe(store, hook));
    }
    return response;
  });
}

absl::StatusOr<v1::SetHookEnabledResponse> EventHooks::SetEnabled(
    const rpc::Caller& admin, const v1::SetHookEnabledRequest& request) {
  const std::string& name = request.name();
  const MutexLock lock(mutex_);
  DT_RETURN_IF_ERROR(Change(admin, name, request.enabled() ? "resumed" : "paused",
                            [&](HookStore& store) -> absl::Status {
                              DT_ASSIGN_OR_RETURN(auto hook, store.Find(name));
                              if (!hook) return UnknownHook(name);
                              hook->enabled = request.enabled();
                              hook->tries = 0;
                              return store.Update(*hook);
                            }));
  DT_RETURN_IF_ERROR(Restart(name));
  v1::SetHookEnabledResponse response;
  DT_ASSIGN_OR_RETURN(*response.mutable_hook(), Get(name));
  return response;
}

absl::Status EventHooks::Remove(const rpc::Caller& admin, const std::string& name) {
  const MutexLock lock(mutex_);
  DT_RETURN_IF_ERROR(Change(admin, name, "removed", [&](HookStore& store) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const auto hook, store.Find(name));
    return hook ? store.Remove(name) : UnknownHook(name);
  }));
  return Restart(name);
}

absl::StatusOr<v1::RotateHookKeyResponse> EventHooks::RotateKey(
    const rpc::Caller& admin, const v1::RotateHookKeyRequest& request) {
  const std::string& name = request.name();
  const int hours = request.overlap_hours() == 0 ? kOverlapHoursDefault : request.overlap_hours();
  if (hours < 1 || hours > kOverlapHoursMax) {
    return BadHook(fmt::format("the old key still signs for 1 to {} hours", kOverlapHoursMax));
  }
  v1::RotateHookKeyResponse response;
  DT_ASSIGN_OR_RETURN(auto key, NewKey(name));
  *response.mutable_secret() = std::move(key.second);
  const std::int64_t now = UnixSeconds(parts_.clock.Now());
  const MutexLock lock(mutex_);
  const auto rotate = [&](HookStore& store) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const auto hook, store.Find(name));
    if (!hook) return UnknownHook(name);
    DT_RETURN_IF_ERROR(store.ExpireKeys(name, now + std::int64_t{hours} * 3600, now));
    return store.InsertKey(name, key.first);
  };
  DT_RETURN_IF_ERROR(Change(admin, name, "has a new key", rotate));
  DT_ASSIGN_OR_RETURN(*response.mutable_hook(), Get(name));
  return response;
}

absl::StatusOr<v1::TestHookResponse> EventHooks::Test(const std::string& name) {
  DT_ASSIGN_OR_RETURN(const v1::EventHook hook, Get(name));
  DT_ASSIGN_OR_RETURN(const auto keys, OpenHookKeys(parts_, name));
  const std::string delivery = name + "/test";
  const absl::Status sent = parts_.post(hook.url(),
                                        SignHookMessage(delivery, HookBody(name, delivery, {}),
                                                        UnixSeconds(parts_.clock.Now()), keys),
                                        kTestDeadlines, [] { return false; });
  v1::TestHookResponse response;
  response.set_delivered(sent.ok());
  response.set_error(std::string(sent.message()));
  return response;
}

absl::StatusOr<v1::ListDeadLettersResponse> EventHooks::DeadLetters(const std::string& name) {
  DT_RETURN_IF_ERROR(Get(name).status());
  DT_ASSIGN_OR_RETURN(const auto letters, parts_.database.Read([&](db::Transaction& txn) {
    return HookStore(txn).DeadLetters(name);
  }));
  v1::ListDeadLettersResponse response;
  for (const StoredDeadLetter& letter : letters) {
    v1::DeadLetter& shown = *response.add_dead_letters();
    shown.set_id(letter.id);
    shown.set_first_sequence(letter.after + 1);
    shown.set_last_sequence(letter.last);
    shown.set_events(static_cast<std::int32_t>(letter.events));
    shown.set_error(letter.error);
    SetTime(letter.died_at, shown.mutable_died_at());
    shown.set_resending(letter.due);
  }
  return response;
}

absl::StatusOr<std::int32_t> EventHooks::Resend(const rpc::Caller& admin, const std::string& name,
                                                std::int64_t id) {
  if (id < 0) return BadHook("a dead letter's id is a whole number from 1");
  const MutexLock lock(mutex_);
  std::int64_t count = 0;
  DT_RETURN_IF_ERROR(
      Change(admin, name, "sends dead letters again", [&](HookStore& store) -> absl::Status {
        DT_ASSIGN_OR_RETURN(const auto hook, store.Find(name));
        if (!hook) return UnknownHook(name);
        DT_ASSIGN_OR_RETURN(count, store.MarkDue(name, id));
        if (count > 0 || id == 0) return absl::OkStatus();
        return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_MALFORMED_REQUEST,
                              "the hook has no dead letter of this id", std::to_string(id),
                              "`dtctl hooks dead-letters NAME` lists them.");
      }));
  DT_RETURN_IF_ERROR(Restart(name));
  return static_cast<std::int32_t>(count);
}

}  // namespace devicetrust::policy
