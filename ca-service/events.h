// What the CA tells the System Log (LOG-1). Each function gives the bytes of an
// org.v1.AppendEventsRequest: DeliverEvents() makes one of those that wait.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ca-service/block_store.h"
#include "ca-service/certificate_store.h"
#include "ca-service/org_client.h"
#include "libs/base/bytes.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/outbox.h"

namespace devicetrust::ca {

// Ids of events about a certificate derive from its serial, and those of changes from their
// sequence number too: one that is delivered twice counts once.
inline constexpr char kEnrollEvent[] = "user.credential.enroll";
inline constexpr char kIssueEvent[] = "pki.cert.issue";
inline constexpr char kRenewEvent[] = "pki.cert.renew";
inline constexpr char kRevokeEvent[] = "pki.cert.revoke";
inline constexpr char kReleaseEvent[] = "ca.certificate.release";
inline constexpr char kBlockEvent[] = "ca.device.block";
inline constexpr char kUnblockEvent[] = "ca.device.unblock";

// user.credential.enroll and pki.cert.issue of one new certificate. `client_address`: where
// the agent called from.
Bytes EnrolledEvents(const StoredCertificate& certificate, std::string_view client_address,
                     WallTime now);

// pki.cert.renew (CA-2): beside the former two, when the certificate follows one of the same person
// on the same device: one that is good, or that the agent named.
struct Follows {
  std::string serial;
  bool forced = false;  // A person asked for it.
};
Bytes RenewedEvent(const StoredCertificate& certificate, const Follows& follows,
                   std::string_view client_address, WallTime now);

// An event with its id.
struct Change {
  std::string id;
  Bytes payload;
};

// pki.cert.revoke; `certificate` carries time, reason and sequence. A hold is one with the reason
// CERTIFICATE_HOLD, and what makes it final another.
Change RevokedEvent(const StoredCertificate& certificate, const std::string& requested_by,
                    WallTime now);

// ca.certificate.release: `certificate` is off hold since `sequence`.
Change ReleasedEvent(const StoredCertificate& certificate, std::int64_t sequence,
                     const std::string& requested_by, WallTime now);

// ca.device.block, ca.device.unblock. `id` is of this event alone.
Change DeviceBlockEvent(const DeviceName& device, bool blocked, std::string id,
                        const std::string& requested_by, WallTime now);

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

// How the issuers change: kIssuerAddEvent and so on, of the issuer `id`, asked for by
// `requested_by`.
inline constexpr char kIssuerAddEvent[] = "ca.issuer.add";
inline constexpr char kIssuerRequestEvent[] = "ca.issuer.request";
inline constexpr char kIssuerInstallEvent[] = "ca.issuer.install";
inline constexpr char kIssuerActivateEvent[] = "ca.issuer.activate";
inline constexpr char kIssuerRetireEvent[] = "ca.issuer.retire";
inline constexpr char kRootCrlInstallEvent[] = "ca.root_crl.install";
struct IssuerChange {
  std::string event_id;
  const char* type;
  std::string id;  // Of the issuer; empty where it has none yet.
  std::string requested_by;
  bool forced = false;
};
Bytes IssuerEvent(const IssuerChange& change, WallTime now);

// What the outbox delivers to: its payloads are AppendEventsRequests. One that does not parse never
// will; it is logged and left out, else it would hold up all behind it for ever.
absl::Status DeliverEvents(OrgClient& org, std::span<const db::OutboxEvent> events);

}  // namespace devicetrust::ca
