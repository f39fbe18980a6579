#include "ca-service/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "devicetrust/org/v1/system_log.pb.h"
#include "libs/base/log.h"
#include "libs/base/trace.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::ca {
namespace {

using org::v1::Event;
using org::v1::EventOutcome;

void Start(Event& event, std::string id, const char* type, const char* message, WallTime now) {
  event.set_id(std::move(id));
  event.set_type(type);
  event.set_display_message(message);
  *event.mutable_at() = rpc::ToTimestamp(now);
  if (std::string trace = CurrentTrace(); !trace.empty()) {
    (*event.mutable_debug_data())["trace_id"] = std::move(trace);
  }
}

void SetActor(Event& event, const char* type, std::string_view id, std::string_view name) {
  event.mutable_actor()->set_type(type);
  event.mutable_actor()->set_id(std::string(id));
  event.mutable_actor()->set_display_name(std::string(name));
}

void SetRequester(Event& event, const std::string& requested_by) {
  SetActor(event, requested_by.starts_with("admin:") ? "Admin" : "Component", requested_by,
           requested_by);
}

void AddTarget(Event& event, const char* type, const std::string& id, const std::string& name) {
  org::v1::Target& target = *event.add_targets();
  target.set_type(type);
  target.set_id(id);
  target.set_display_name(name);
}

void Describe(Event& event, const StoredCertificate& certificate) {
  AddTarget(event, "Certificate", certificate.serial, "serial " + certificate.serial);
  AddTarget(event, "User", certificate.user_id, certificate.principal);
  AddTarget(event, "Device", certificate.device_id, certificate.device_id);
  auto& debug = *event.mutable_debug_data();
  debug["device_id"] = certificate.device_id;
  debug["enrollment_id"] = certificate.enrollment_id;
  debug["serial"] = certificate.serial;
}

Bytes Serialize(const org::v1::AppendEventsRequest& request) {
  Bytes data(request.ByteSizeLong());
  request.SerializeToArray(data.data(), static_cast<int>(data.size()));
  return data;
}

}  // namespace

Bytes EnrolledEvents(const StoredCertificate& certificate, std::string_view client_address,
                     WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& enrolled = *request.add_events();
  Start(enrolled, "enroll-" + certificate.serial, kEnrollEvent,
        "Device Trust certificate enrollment", now);
  SetActor(enrolled, "User", certificate.user_id, certificate.principal);
  enrolled.mutable_client()->set_address(std::string(client_address));
  Describe(enrolled, certificate);
  enrolled.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);

  Event& issued = *request.add_events();
  Start(issued, "issue-" + certificate.serial, kIssueEvent, "Device Trust certificate issuance",
        now);
  SetActor(issued, "Component", "ca", "Device Trust certificate authority");
  Describe(issued, certificate);
  issued.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);
  return Serialize(request);
}

Bytes RenewedEvent(const StoredCertificate& certificate, const Follows& follows,
                   std::string_view client_address, WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& event = *request.add_events();
  Start(event, "renew-" + certificate.serial, kRenewEvent, "Device Trust certificate renewal", now);
  SetActor(event, "User", certificate.user_id, certificate.principal);
  event.mutable_client()->set_address(std::string(client_address));
  Describe(event, certificate);
  (*event.mutable_debug_data())["renews"] = follows.serial;
  if (follows.forced) (*event.mutable_debug_data())["forced"] = "true";
  event.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);
  return Serialize(request);
}

Change RevokedEvent(const StoredCertificate& certificate, const std::string& requested_by,
                    WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& event = *request.add_events();
  Start(event, fmt::format("revoke-{}-{}", certificate.serial, certificate.revocation_sequence),
        kRevokeEvent, "Device Trust certificate revocation", now);
  SetRequester(event, requested_by);
  Describe(event, certificate);
  (*event.mutable_debug_data())["revocation_reason"] = rpc::EnumName(certificate.reason);
  event.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);
  return {event.id(), Serialize(request)};
}

Change ReleasedEvent(const StoredCertificate& certificate, std::int64_t sequence,
                     const std::string& requested_by, WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& event = *request.add_events();
  Start(event, fmt::format("freed-{}-{}", certificate.serial, sequence), kReleaseEvent,
        "Device Trust certificate released from hold", now);
  SetRequester(event, requested_by);
  Describe(event, certificate);
  event.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);
  return {event.id(), Serialize(request)};
}

Change DeviceBlockEvent(const DeviceName& device, bool blocked, std::string id,
                        const std::string& requested_by, WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& event = *request.add_events();
  Start(event, std::move(id), blocked ? kBlockEvent : kUnblockEvent,
        blocked ? "Computer blocked from enrolling" : "Computer allowed to enroll again", now);
  SetRequester(event, requested_by);
  AddTarget(event, "Device", device.device_id, device.device_id);
  (*event.mutable_debug_data())["device_id"] = device.device_id;
  (*event.mutable_debug_data())["computer_sid"] = device.computer_sid;
  event.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);
  return {event.id(), Serialize(request)};
}

Bytes RefusedEvent(const RefusedEnrollment& refused, WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& event = *request.add_events();
  Start(event, refused.event_id, kEnrollEvent, "Device Trust certificate enrollment", now);
  SetActor(event, "User", refused.user_sid, refused.user_name);
  event.mutable_client()->set_address(refused.client_address);
  (*event.mutable_debug_data())["computer_sid"] = refused.computer_sid;
  event.mutable_outcome()->set_result(EventOutcome::RESULT_DENY);
  event.mutable_outcome()->set_reason(refused.reason);
  return Serialize(request);
}

Bytes IssuerEvent(const IssuerChange& change, WallTime now) {
  org::v1::AppendEventsRequest request;
  Event& event = *request.add_events();
  Start(event, change.event_id, change.type, "Change of the device certificate authority", now);
  SetActor(event, change.requested_by.starts_with("admin:") ? "Admin" : "Component",
           change.requested_by, change.requested_by);
  if (!change.id.empty()) AddTarget(event, "Issuer", change.id, "issuer " + change.id);
  if (change.forced) (*event.mutable_debug_data())["forced"] = "true";
  event.mutable_outcome()->set_result(EventOutcome::RESULT_SUCCESS);
  return Serialize(request);
}

absl::Status DeliverEvents(OrgClient& org, std::span<const db::OutboxEvent> events) {
  org::v1::AppendEventsRequest request;
  for (const db::OutboxEvent& event : events) {
    org::v1::AppendEventsRequest one;
    if (one.ParseFromArray(event.payload.data(), static_cast<int>(event.payload.size()))) {
      request.MergeFrom(one);
    } else {
      Log(LogLevel::kError, "ca.event.dropped", {{"event_id", event.event_id}});
    }
  }
  absl::Status appended = org.Append(request);
  const auto detail = rpc::DetailOf(appended);
  const bool is_of_type = detail && detail->reason() == reason::v1::REASON_CALLER_NOT_ALLOWED &&
                          std::ranges::any_of(request.events(), [&detail](const Event& event) {
                            return event.type() == detail->subject();
                          });
  // The org is of a release that knew no such event of ours.
  if (is_of_type) return absl::UnimplementedError(std::string(appended.message()));
  return appended;
}

}  // namespace devicetrust::ca
