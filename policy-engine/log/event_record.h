// An event on its way into the store: checked, completed, and ready to be written.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/eventlog/chain.h"
#include "libs/rpc/caller.h"

namespace devicetrust::policy {

inline constexpr std::size_t kEventBytesMax = 16 * 1024;
// How far a writer's clock may be ahead of ours.
inline constexpr std::chrono::minutes kEventClockSkew{5};
// What an event takes in the store beside its own bytes, about: rows and indexes.
inline constexpr std::int64_t kEventOverheadBytes = 400;

// The names of the zones that hold an address.
using ZonesOf = std::function<std::vector<std::string>(std::string_view address)>;

struct EventRecord {
  std::string id;
  std::string type;
  std::int64_t at_ms = 0;
  std::string message;  // Serialized, without its chain.
  eventlog::Hash content{};
  std::vector<std::string> subjects;
};

// kInvalidArgument, MALFORMED_REQUEST: the event lacks id, type or time, or is too long.
absl::Status ValidateEvent(const org::v1::Event& event);

// The event as it is kept: what its writer may not say is replaced, what the log knows is added.
EventRecord MakeRecord(const rpc::Caller& writer, const org::v1::Event& given, WallTime now,
                       std::chrono::hours kept_for, const ZonesOf& zones_of);

inline constexpr char kRefuseEvent[] = "org.event.refuse";
// What is kept instead of an event that ValidateEvent() refused with `why`. The same event gives
// the same id, so that one that comes again is kept once.
EventRecord MakeRefusal(const rpc::Caller& writer, const org::v1::Event& refused,
                        const absl::Status& why, WallTime now);

// Whether components of `role` write events of `type`: each its own, and the org any.
bool MayWrite(std::string_view role, std::string_view type);

// The org itself, as a writer.
const rpc::Caller& TheOrg();

}  // namespace devicetrust::policy
