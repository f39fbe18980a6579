// Events of the org itself on their way to the System Log: written in the transaction of
// what they tell of, delivered afterwards (LOG-2).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/client.pb.h"
#include "devicetrust/org/v1/system_log.pb.h"
#include "devicetrust/reason/v1/reason.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/status.h"
#include "libs/db/outbox.h"
#include "libs/rpc/caller.h"

namespace devicetrust::policy {

using EventResult = org::v1::EventOutcome::Result;

// Builds one event, part by part.
class EventBuilder {
 public:
  // `type` is one of LOG-1's or this org's own; `message` is for people.
  EventBuilder(std::string_view type, std::string_view message, WallTime at);

  EventBuilder& Actor(const rpc::Caller& caller);
  EventBuilder& ActorUser(const std::string& id, const std::string& principal);
  EventBuilder& Client(const org::v1::ClientInfo& client, std::string_view platform = {});
  EventBuilder& Target(std::string_view type, const std::string& id, const std::string& name = {});
  EventBuilder& Outcome(EventResult result,
                        reason::v1::Reason reason = reason::v1::REASON_UNSPECIFIED);
  EventBuilder& Debug(const std::string& key, const std::string& value);  // Empty: left out.

  org::v1::Event Take() { return std::move(event_); }

 private:
  org::v1::Event event_;
};

// Ids of events sort by their time, so that those made together lie together in the indexes of
// outbox and log.
absl::StatusOr<std::string> NewEventId(WallTime at, Random& random);

// Thread-safe.
class EventSink {
 public:
  EventSink(db::Outbox& outbox, Random& random) : outbox_(outbox), random_(random) {}

  // Gives the event an id. Before the transaction, so that a retry of it writes the same.
  absl::Status Identify(org::v1::Event& event);
  // Adds an identified event to the transaction.
  absl::Status Append(db::Transaction& txn, const org::v1::Event& event);
  // The same for several, in their order, which then share rows of the outbox.
  absl::Status AppendAll(db::Transaction& txn, std::span<org::v1::Event> events);

 private:
  db::Outbox& outbox_;
  Random& random_;
};

class SystemLog;
// What the outbox delivers to: the System Log, in one write a batch.
db::Outbox::Deliver DeliverTo(SystemLog& log);

}  // namespace devicetrust::policy
