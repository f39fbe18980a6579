// What the CA tells the System Log (LOG-1). Each function gives the bytes of an
// org.v1.AppendEventsRequest: requests concatenate to one, so the outbox joins them unread.
#pragma once

#include <string>
#include <string_view>

#include "ca-service/certificate_store.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"

namespace devicetrust::ca {

// Ids of events about a certificate derive from its serial: one that is delivered twice counts
// once.
inline constexpr char kEnrollEvent[] = "user.credential.enroll";
inline constexpr char kIssueEvent[] = "pki.cert.issue";
inline constexpr char kRevokeEvent[] = "pki.cert.revoke";

// user.credential.enroll and pki.cert.issue of one new certificate. `client_address`: where
// the agent called from.
Bytes EnrolledEvents(const StoredCertificate& certificate, std::string_view client_address,
                     WallTime now);

// pki.cert.revoke; `certificate` carries time and reason.
Bytes RevokedEvent(const StoredCertificate& certificate, const std::string& requested_by,
                   WallTime now);

// user.credential.enroll that was refused, of a genuine applicant.
struct RefusedEnrollment {
  std::string event_id;  // A digest of evidence and reason: a repeated refusal counts once.
  std::string user_sid;
  std::string user_name;
  std::string computer_sid;
  std::string reason;  // Name of a reason.v1.Reason.
  std::string client_address;
};
Bytes RefusedEvent(const RefusedEnrollment& refused, WallTime now);

}  // namespace devicetrust::ca
