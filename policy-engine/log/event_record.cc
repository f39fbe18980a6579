#include "policy-engine/log/event_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/event_query.h"
#include "policy-engine/log/user_agent.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

// Of what a malformed event says, and of what is wrong with it.
constexpr std::size_t kShownBytesMax = 128;
constexpr std::size_t kWhyBytesMax = 512;

absl::Status BadEvent(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message));
}

// Who sends what is an event's writer's to say; what that means is ours.
void CompleteClient(v1::ClientContext& client, const ZonesOf& zones_of) {
  const UserAgent agent = ParseUserAgent(client.user_agent());
  client.set_browser(agent.browser);
  client.set_browser_version(agent.version);
  client.set_os(std::string(agent.os));
  client.set_device(std::string(agent.device));
  client.clear_zones();
  if (!zones_of || client.address().empty()) return;
  for (std::string& zone : zones_of(client.address())) client.add_zones(std::move(zone));
}

}  // namespace

absl::Status ValidateEvent(const v1::Event& event) {
  if (event.id().empty() || event.id().size() > 64) {
    return BadEvent("an event's id must be 1 to 64 bytes");
  }
  if (event.type().empty() || event.type().size() > 128) {
    return BadEvent(fmt::format("event {}: the type must be 1 to 128 bytes", event.id()));
  }
  if (!event.has_at()) {
    return BadEvent(fmt::format("event {}: the time is missing", event.id()));
  }
  const bool in_range = event.at().seconds() >= -kWallSecondsMax &&
                        event.at().seconds() <= kWallSecondsMax && event.at().nanos() >= 0 &&
                        event.at().nanos() <= 999'999'999;
  if (!in_range) {
    return BadEvent(
        fmt::format("event {}: the time must be of the years 1678 to 2261", event.id()));
  }
  if (event.ByteSizeLong() > kEventBytesMax) {
    return BadEvent(fmt::format("event {} is longer than {} bytes", event.id(), kEventBytesMax));
  }
  return absl::OkStatus();
}

EventRecord MakeRecord(const rpc::Caller& writer, const v1::Event& given, WallTime now,
                       std::chrono::hours kept_for, const ZonesOf& zones_of) {
  v1::Event event = given;
  event.set_id(fmt::format("{}/{}", writer.name, given.id()));
  event.set_writer(writer.name);
  event.clear_sequence();
  event.clear_chain();
  const WallTime at = rpc::FromTimestamp(given.at());
  if (at > now + kEventClockSkew || at < now - kept_for) {
    (*event.mutable_debug_data())["claimed_time"] = FormatUtc(at);
    *event.mutable_at() = rpc::ToTimestamp(now);
  }
  if (event.has_client()) CompleteClient(*event.mutable_client(), zones_of);
  const auto trace = event.debug_data().find("trace_id");
  if (event.transaction().id().empty() && trace != event.debug_data().end()) {
    event.mutable_transaction()->set_id(trace->second);
  }
  EventRecord record;
  record.id = event.id();
  record.type = event.type();
  record.at_ms = UnixMillis(rpc::FromTimestamp(event.at()));
  record.content = eventlog::ContentHash(event);
  event.SerializeToString(&record.message);
  const auto subjects = SubjectsOf(event);
  record.subjects.assign(subjects.begin(), subjects.end());
  return record;
}

EventRecord MakeRefusal(const rpc::Caller& writer, const v1::Event& refused,
                        const absl::Status& why, WallTime now) {
  const std::string digest = HexEncode(eventlog::ContentHash(refused));
  v1::Event event;
  event.set_id("refused-" + digest.substr(0, 40));
  event.set_type(kRefuseEvent);
  event.set_display_message("Malformed event, not kept");
  *event.mutable_at() = rpc::ToTimestamp(now);
  event.mutable_actor()->set_type("Component");
  event.mutable_actor()->set_id(writer.name);
  event.mutable_actor()->set_display_name(writer.ToString());
  event.mutable_outcome()->set_result(v1::EventOutcome::RESULT_FAILURE);
  event.mutable_outcome()->set_reason(rpc::ReasonName(reason::v1::REASON_MALFORMED_REQUEST));
  auto& debug = *event.mutable_debug_data();
  debug["refused_id"] = CutText(refused.id(), kShownBytesMax);
  debug["refused_type"] = CutText(refused.type(), kShownBytesMax);
  debug["why"] = CutText(std::string(why.message()), kWhyBytesMax);
  return MakeRecord(writer, event, now, std::chrono::hours(1), ZonesOf());
}

bool MayWrite(std::string_view role, std::string_view type) {
  if (role == TheOrg().role) return true;
  if (role == "ca") {
    constexpr std::array<std::string_view, 4> kTypes = {"user.credential.enroll", "pki.cert.issue",
                                                        "pki.cert.renew", "pki.cert.revoke"};
    if (std::ranges::find(kTypes, type) != kTypes.end()) return true;
  }
  if (role != "ca" && role != "iwa" && role != "gateway") return false;
  return type.size() > role.size() + 1 && type.starts_with(role) && type[role.size()] == '.';
}

const rpc::Caller& TheOrg() {
  static const rpc::Caller kOrg{rpc::Caller::Kind::kComponent, "policy", "policy", {}};
  return kOrg;
}

}  // namespace devicetrust::policy
