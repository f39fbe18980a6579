#include "policy-engine/log/events.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/base/ordered_id.h"
#include "libs/base/trace.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/system_log.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

namespace {

constexpr std::size_t kEventIdOctets = 16;
// Begins the id of an outbox row with several events, and no event's own.
constexpr std::string_view kSeveral = "several:";
// So that a delivery, of a bounded number of rows, stays small.
constexpr std::size_t kEventsPerRowMax = 16;

Bytes Serialize(const google::protobuf::MessageLite& message) {
  Bytes bytes(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(bytes.data());
  return bytes;
}

// False: no events of ours.
bool TakeEvents(const db::OutboxEvent& row, std::vector<v1::Event>& events) {
  const int size = static_cast<int>(row.payload.size());
  if (!row.event_id.starts_with(kSeveral)) {
    v1::Event event;
    if (!event.ParseFromArray(row.payload.data(), size)) return false;
    events.push_back(std::move(event));
    return true;
  }
  v1::AppendEventsRequest several;
  if (!several.ParseFromArray(row.payload.data(), size)) return false;
  for (v1::Event& event : *several.mutable_events()) events.push_back(std::move(event));
  return true;
}

}  // namespace

EventBuilder::EventBuilder(std::string_view type, std::string_view message, WallTime at) {
  event_.set_type(std::string(type));
  event_.set_display_message(std::string(message));
  *event_.mutable_at() = rpc::ToTimestamp(at);
  Debug("trace_id", CurrentTrace());
}

EventBuilder& EventBuilder::Actor(const rpc::Caller& caller) {
  event_.mutable_actor()->set_type(caller.kind == rpc::Caller::Kind::kAdmin ? "Admin"
                                                                            : "Component");
  event_.mutable_actor()->set_id(caller.user_id.empty() ? caller.name : caller.user_id);
  event_.mutable_actor()->set_display_name(caller.ToString());
  return *this;
}

EventBuilder& EventBuilder::ActorUser(const std::string& id, const std::string& principal) {
  event_.mutable_actor()->set_type("User");
  event_.mutable_actor()->set_id(id);
  event_.mutable_actor()->set_display_name(principal);
  return *this;
}

EventBuilder& EventBuilder::Client(const v1::ClientInfo& client, std::string_view platform) {
  event_.mutable_client()->set_address(client.address());
  event_.mutable_client()->set_user_agent(client.user_agent());
  event_.mutable_client()->set_platform(std::string(platform));
  return *this;
}

EventBuilder& EventBuilder::Target(std::string_view type, const std::string& id,
                                   const std::string& name) {
  v1::Target& target = *event_.add_targets();
  target.set_type(std::string(type));
  target.set_id(id);
  target.set_display_name(name);
  return *this;
}

EventBuilder& EventBuilder::Outcome(EventResult result, reason::v1::Reason reason) {
  event_.mutable_outcome()->set_result(result);
  event_.mutable_outcome()->set_reason(rpc::ReasonName(reason));
  return *this;
}

EventBuilder& EventBuilder::Debug(const std::string& key, const std::string& value) {
  if (!value.empty()) (*event_.mutable_debug_data())[key] = value;
  return *this;
}

absl::StatusOr<std::string> NewEventId(WallTime at, Random& random) {
  return NewOrderedId(kEventIdOctets, at, random);
}

absl::Status EventSink::Identify(v1::Event& event) {
  DT_ASSIGN_OR_RETURN(*event.mutable_id(), NewEventId(rpc::FromTimestamp(event.at()), random_));
  return absl::OkStatus();
}

absl::Status EventSink::Append(db::Transaction& txn, const v1::Event& event) {
  return outbox_.Append(txn, event.id(), Serialize(event));
}

absl::Status EventSink::AppendAll(db::Transaction& txn, std::span<v1::Event> events) {
  while (events.size() > 1) {
    const std::size_t count = std::min(events.size(), kEventsPerRowMax);
    const std::string id = std::string(kSeveral) + events.front().id();
    v1::AppendEventsRequest several;
    for (v1::Event& event : events.first(count)) several.add_events()->Swap(&event);
    DT_RETURN_IF_ERROR(outbox_.Append(txn, id, Serialize(several)));
    events = events.subspan(count);
  }
  return events.empty() ? absl::OkStatus() : Append(txn, events.front());
}

db::Outbox::Deliver DeliverTo(SystemLog& log) {
  return [&log](std::span<const db::OutboxEvent> waiting) -> absl::Status {
    std::vector<v1::Event> events;
    for (const db::OutboxEvent& row : waiting) {
      if (TakeEvents(row, events)) continue;
      // It would never arrive, and hold up the rest for ever.
      Log(LogLevel::kError, "system_log.event.dropped", {{"event_id", row.event_id}});
    }
    for (std::span<const v1::Event> left = events; !left.empty();) {
      const auto part = left.first(std::min<std::size_t>(left.size(), kEventsPerAppendMax));
      DT_RETURN_IF_ERROR(log.Append(TheOrg(), part).status());
      left = left.subspan(part.size());
    }
    return absl::OkStatus();
  };
}

}  // namespace devicetrust::policy
