#include "policy-engine/log/events.h"

#include <array>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/base/random_id.h"
#include "libs/base/trace.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/system_log.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

EventBuilder::EventBuilder(std::string_view type, std::string_view message, WallTime at) {
  event_.set_type(std::string(type));
  event_.set_display_message(std::string(message));
  *event_.mutable_at() = rpc::ToTimestamp(at);
  Debug("trace_id", CurrentTrace());
}

EventBuilder& EventBuilder::Actor(const rpc::Caller& caller) {
  event_.mutable_actor()->set_type(caller.kind == rpc::Caller::Kind::kAdmin ? "Admin"
                                                                            : "Component");
  event_.mutable_actor()->set_id(caller.name);
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

absl::Status EventSink::Identify(v1::Event& event) {
  DT_ASSIGN_OR_RETURN(*event.mutable_id(), NewRandomId(random_));
  return absl::OkStatus();
}

absl::Status EventSink::Append(db::Transaction& txn, const v1::Event& event) {
  const std::string text = event.SerializeAsString();
  return outbox_.Append(txn, event.id(), Bytes(text.begin(), text.end()));
}

db::Outbox::Deliver DeliverTo(SystemLog& log) {
  return [&log](std::span<const db::OutboxEvent> waiting) {
    std::vector<v1::Event> events;
    for (const db::OutboxEvent& one : waiting) {
      v1::Event event;
      if (event.ParseFromArray(one.payload.data(), static_cast<int>(one.payload.size()))) {
        events.push_back(std::move(event));
      } else {  // It would never arrive, and hold up the rest for ever.
        Log(LogLevel::kError, "system_log.event.dropped", {{"event_id", one.event_id}});
      }
    }
    return log.Append(TheOrg(), events).status();
  };
}

}  // namespace devicetrust::policy
