#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "devicetrust/org/v1/authentication.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/base/tally.h"
#include "libs/db/database.h"
#include "libs/directory/registry.h"
#include "policy-engine/authentication/failure_throttle.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/users/account_watch.h"

namespace devicetrust::policy {

// Opens and ends the sessions of users. Thread-safe.
class Authenticator {
 public:
  // All references must outlive the Authenticator.
  struct Parts {
    db::Database& database;
    const OrgStore& store;  // For the domain of names without one.
    EventSink& events;
    const directory::Registry& directories;
    AccountWatch& accounts;
    const Clock& clock;
    Random& random;
    FailureLimits limits = {};
    bool take_tickets = false;  // Sessions by a gateway's word on a Kerberos ticket.
  };
  explicit Authenticator(Parts parts);

  // The contract (devicetrust.org.v1.AuthenticationService) says what each does and refuses.
  absl::StatusOr<org::v1::StartSessionResponse> StartSession(
      const org::v1::StartSessionRequest& request);
  absl::StatusOr<org::v1::StartTicketSessionResponse> StartTicketSession(
      const org::v1::StartTicketSessionRequest& request);
  absl::StatusOr<org::v1::EndSessionResponse> EndSession(const org::v1::EndSessionRequest& request);

  // A flood of refused sign-ins has few events of its own: this writes the number of the others, by
  // network, and forgets counts that have ended. Every ten minutes and at the end.
  absl::Status TellRefused();

 private:
  struct Attempt;

  // Whether the attempt gets an event of its own.
  bool IsTold(const Attempt& attempt);

  // What the directory and the org think of a name and a password.
  Attempt Judge(const org::v1::StartSessionRequest& request);
  // And of an account that a ticket named.
  Attempt JudgeTicket(const org::v1::StartTicketSessionRequest& request);
  // The session that an attempt leads to, or why none; either is told.
  absl::StatusOr<org::v1::StartSessionResponse> Conclude(
      const org::v1::StartSessionRequest& request, const Attempt& attempt);
  // A user with too many sessions loses those used longest ago.
  absl::Status EndSurplus(db::Transaction& txn, const org::v1::User& user,
                          const std::string& event_id, WallTime now);
  absl::Status Record(const org::v1::StartSessionRequest& request, const Attempt& attempt,
                      const org::v1::StartSessionResponse& response, WallTime now);

  Parts parts_;
  FailureThrottle throttle_;
  const std::string nobody_;  // An account name that nobody has.
  // Refused sign-ins: not looked at, of users, of names that nobody has.
  Tally throttled_;
  Tally wrong_;
  Tally unknown_;
};

}  // namespace devicetrust::policy
