#include "policy-engine/console/console.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "libs/base/client_network.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "libs/rpc/grant.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/log/plain_text.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kSessionIdBytesMax = 64;
constexpr std::size_t kConsoleAddressBytesMax = 64;
constexpr std::string_view kOwnPackage = "/devicetrust.org.";
constexpr std::chrono::minutes kTouchedAfter{1};  // Less often the store is not written.

absl::Status NoConsole(std::string message) {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_SESSION_EXPIRED,
                        std::move(message), {}, "Sign in again.");
}

absl::Status FactorNeeded(std::string message) {
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_NEEDED,
                        std::move(message), {}, "Type the code that the authenticator app shows.");
}

absl::Status RoleLacks(const std::string& principal, access::v1::Role role,
                       const std::string& method) {
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_CALLER_NOT_ALLOWED,
                        principal + ", " + rpc::EnumName(role) + ", may not call " + method,
                        principal,
                        "Ask a super admin to do it, or for a role that may: dtctl admin grant.");
}

bool IsOpen(const ConsoleSession& session, WallTime now) {
  return session.factor_at && now < *session.factor_at + kConsoleOpenMax &&
         now < session.used_at + kConsoleIdleMax;
}

bool IsFresh(const ConsoleSession& session, WallTime now) {
  return IsOpen(session, now) && now < *session.factor_at + kConsoleFactorFreshFor;
}

v1::ClientInfo Plain(const v1::ClientInfo& sent) {
  v1::ClientInfo client;
  client.set_address(ToPlainText(sent.address(), kConsoleAddressBytesMax));
  client.set_user_agent(ToPlainText(sent.user_agent(), kUserAgentBytesRead));
  return client;
}

v1::Event LockedEvent(const v1::User& user, const v1::ClientInfo& client, WallTime now) {
  return EventBuilder("user.mfa.factor.lock", "Second factor locked: too many wrong codes", now)
      .ActorUser(user.id(), user.principal())
      .Client(client)
      .Target("User", user.id(), user.principal())
      .Outcome(v1::EventOutcome::RESULT_FAILURE, reason::v1::REASON_FACTOR_LOCKED)
      .Take();
}

absl::Status StatusOfCode(const FactorAnswer& answer, const std::string& principal) {
  using absl::StatusCode;
  switch (answer.verdict) {
    case FactorVerdict::kAccepted:
      return absl::OkStatus();
    case FactorVerdict::kWrong:
      return rpc::MakeError(StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_WRONG,
                            "the code is wrong", {}, "Type the code that the app shows now.");
    case FactorVerdict::kReused:
      return rpc::MakeError(StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_REUSED,
                            "the code was used already", {}, "Wait for the next code.");
    case FactorVerdict::kNotEnrolled:
      return rpc::MakeError(StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_NOT_ENROLLED,
                            "the administrator has no second factor", principal,
                            "Enroll one: dtctl factor enroll.");
    case FactorVerdict::kThrottled:
      return rpc::MakeError(StatusCode::kResourceExhausted, reason::v1::REASON_THROTTLED,
                            "too many wrong codes", {}, "Wait, then type the current code.",
                            answer.retry_after);
    case FactorVerdict::kLocked:
      return rpc::MakeError(StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_LOCKED,
                            "too many wrong codes in a row: the second factor is locked", principal,
                            "Use a recovery code, or get a new factor: dtctl factor enroll.");
  }
  return absl::InternalError("no such verdict on a factor");
}

}  // namespace

Console::Console(Parts parts)
    : parts_(std::move(parts)), refused_({.each_max = 10, .all_max = 100, .keys_max = 32}) {}

absl::StatusOr<Console::Known> Console::Find(db::Transaction& txn,
                                             const std::string& session_id) const {
  if (session_id.empty() || session_id.size() > kSessionIdBytesMax) {
    return NoConsole("there is no session of that id");
  }
  DT_ASSIGN_OR_RETURN(auto session, FindConsoleSession(txn, session_id));
  if (!session) return NoConsole("the session is none of an administrator");
  const WallTime now = parts_.clock.Now();
  const SessionLimits limits = SessionLimitsOf(parts_.store.state()->settings);
  if (now >= session->begun_at + limits.lifetime) return NoConsole("the session is over");
  DT_ASSIGN_OR_RETURN(
      OpenSession open,
      CheckSession(txn, {session_id, session->user_id, session->begun_at}, limits, now));
  DT_ASSIGN_OR_RETURN(auto role, FindAdminRole(txn, session->user_id));
  if (!role) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied,
                          reason::v1::REASON_CALLER_NOT_ALLOWED, "the user administers nothing",
                          open.user.user.principal(),
                          "Ask a super admin for a role: dtctl admin grant.");
  }
  return Known{*std::move(session), *std::move(role), std::move(open.user), std::move(open.stored)};
}

v1::ConsoleState Console::StateOf(const Known& known, WallTime now) {
  v1::ConsoleState state;
  state.set_principal(known.user.user.principal());
  state.set_display_name(known.user.user.display_name());
  state.set_role(known.role.role);
  state.set_has_factor(!known.user.user.factors().empty());
  state.set_open(IsOpen(known.session, now));
  if (state.open()) {
    *state.mutable_closes_at() = rpc::ToTimestamp(std::min<WallTime>(
        *known.session.factor_at + kConsoleOpenMax, known.session.used_at + kConsoleIdleMax));
  }
  if (IsFresh(known.session, now)) {
    *state.mutable_fresh_until() =
        rpc::ToTimestamp(*known.session.factor_at + kConsoleFactorFreshFor);
  }
  return state;
}

absl::StatusOr<v1::GetConsoleResponse> Console::Get(const v1::GetConsoleRequest& request) const {
  const auto known =
      parts_.database.Read([&](db::Transaction& txn) { return Find(txn, request.session_id()); });
  DT_RETURN_IF_ERROR(known.status());
  v1::GetConsoleResponse response;
  *response.mutable_state() = StateOf(*known, parts_.clock.Now());
  return response;
}

absl::StatusOr<v1::OpenConsoleResponse> Console::Open(const v1::OpenConsoleRequest& request) {
  if (request.factor_case() == v1::OpenConsoleRequest::FACTOR_NOT_SET) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "no factor is shown", "factor");
  }
  const WallTime now = parts_.clock.Now();
  const bool recovery = request.has_recovery_code();
  const v1::ClientInfo client = Plain(request.client());
  v1::Event event;
  v1::Event locked;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  DT_RETURN_IF_ERROR(parts_.events.Identify(locked));

  struct Tried {
    absl::Status status;
    v1::ConsoleState state;
  };
  // A wrong code is no error of the transaction, which counts it and must commit.
  const auto open = [&](db::Transaction& txn) -> absl::StatusOr<Tried> {
    DT_ASSIGN_OR_RETURN(Known known, Find(txn, request.session_id()));
    const v1::User& user = known.user.user;
    DT_ASSIGN_OR_RETURN(
        const FactorAnswer answer,
        parts_.factors.Verify(txn,
                              {user.id(), recovery ? request.recovery_code() : request.totp_code(),
                               ClientNetwork(client.address()), recovery},
                              now));
    Tried tried{StatusOfCode(answer, user.principal()), {}};
    if (tried.status.ok()) {
      DT_RETURN_IF_ERROR(OpenConsoleSession(txn, request.session_id(), now));
      known.session.factor_at = now;
      known.session.used_at = now;
      tried.state = StateOf(known, now);
    }
    if (answer.verdict == FactorVerdict::kThrottled) return tried;  // Nobody looked at it.
    EventBuilder builder("admin.console.open", "Console opened with a second factor", now);
    builder.ActorUser(user.id(), user.principal()).Client(client);
    builder.Outcome(
        tried.status.ok() ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
        rpc::ReasonOf(tried.status));
    v1::Event told = builder.Debug("role", rpc::EnumName(known.role.role))
                         .Debug("factor", recovery ? "recovery code" : "")
                         .Take();
    told.set_id(event.id());
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
    if (answer.locks) {
      v1::Event lock = LockedEvent(user, client, now);
      lock.set_id(locked.id());
      DT_RETURN_IF_ERROR(parts_.events.Append(txn, lock));
    }
    return tried;
  };
  DT_ASSIGN_OR_RETURN(Tried tried, parts_.database.Write(open));
  DT_RETURN_IF_ERROR(tried.status);
  v1::OpenConsoleResponse response;
  *response.mutable_state() = std::move(tried.state);
  return response;
}

absl::StatusOr<v1::CloseConsoleResponse> Console::Close(const v1::CloseConsoleRequest& request) {
  const auto close = [&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(Find(txn, request.session_id()).status());
    return CloseConsoleSession(txn, request.session_id());
  };
  DT_RETURN_IF_ERROR(parts_.database.Write(close));
  return v1::CloseConsoleResponse();
}

absl::Status Console::Touch(const v1::AuthorizeCallRequest& request, const Known& known,
                            WallTime now) {
  const v1::ClientInfo client = Plain(request.client());
  const SessionUse use{client.address(), client.user_agent()};
  const bool due = now - known.session.used_at >= kTouchedAfter ||
                   (known.stored && IsTouchDue(*known.stored, use, now));
  if (!due) return absl::OkStatus();
  return parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(TouchConsoleSession(txn, request.session_id(), now));
    if (!known.stored) return absl::OkStatus();
    return TouchSession(txn, *known.stored, use, now);
  });
}

absl::Status Console::TellRefused(const v1::AuthorizeCallRequest& request, const Known& known,
                                  WallTime now) {
  const v1::User& user = known.user.user;
  if (!refused_.Count(user.id())) return absl::OkStatus();
  v1::Event event =
      EventBuilder("admin.call.refuse", "An administrator's call refused: the role may not", now)
          .ActorUser(user.id(), user.principal())
          .Client(Plain(request.client()))
          .Target("Method", request.method(),
                  request.method().substr(request.method().rfind('/') + 1))
          .Outcome(v1::EventOutcome::RESULT_DENY, reason::v1::REASON_CALLER_NOT_ALLOWED)
          .Debug("role", rpc::EnumName(known.role.role))
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  return parts_.database.Write(
      [&](db::Transaction& txn) { return parts_.events.Append(txn, event); });
}

absl::Status Console::TellRefusals() {
  const WallTime now = parts_.clock.Now();
  std::vector<v1::Event> events;
  for (const Tally::Sum& sum : refused_.TakeSums()) {
    EventBuilder builder("admin.call.refuse", "Refused calls of an administrator, counted", now);
    builder.Actor(TheOrg()).Outcome(v1::EventOutcome::RESULT_DENY,
                                    reason::v1::REASON_CALLER_NOT_ALLOWED);
    if (!sum.key.empty()) builder.Target("User", sum.key, "");
    events.push_back(builder.Debug("count", std::to_string(sum.untold)).Take());
    DT_RETURN_IF_ERROR(parts_.events.Identify(events.back()));
  }
  if (events.empty()) return absl::OkStatus();
  return parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    for (const v1::Event& event : events) DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
    return absl::OkStatus();
  });
}

// What the org is asked itself, it judges itself (CheckMayChange()).
absl::StatusOr<access::v1::Grant> Console::GrantFor(const v1::AuthorizeCallRequest& request,
                                                    const Known& known, WallTime now) const {
  access::v1::Grant grant;
  grant.set_org(parts_.org);
  grant.set_method(request.method());
  grant.set_role(known.role.role);
  grant.set_user_id(known.user.user.id());
  grant.set_principal(known.user.user.principal());
  *grant.mutable_expires_at() = rpc::ToTimestamp(now + rpc::kGrantLifetime);
  if (known.role.role == access::v1::ROLE_SUPER_ADMIN ||
      request.method().starts_with(kOwnPackage)) {
    return grant;
  }
  DT_ASSIGN_OR_RETURN(
      const std::vector<AdminRow> admins,
      parts_.database.Read([](db::Transaction& txn) { return ListAdminRoles(txn); }));
  if (admins.size() > kProtectedUsersMax) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied,
                          reason::v1::REASON_CALLER_NOT_ALLOWED,
                          "the org has too many administrators to keep them from this call",
                          known.user.user.principal(), "Ask a super admin.");
  }
  for (const AdminRow& admin : admins) {
    grant.add_protected_users(rpc::ProtectedUser(admin.user_id));
  }
  return grant;
}

absl::StatusOr<v1::AuthorizeCallResponse> Console::Authorize(
    const v1::AuthorizeCallRequest& request) {
  const auto* method = rpc::FindMethod(request.method());
  const access::v1::Access* access = method == nullptr ? nullptr : rpc::ConsoleAccess(*method);
  if (access == nullptr) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_UNKNOWN_SUBJECT,
                          "the console has no such method", ToPlainText(request.method(), 128));
  }
  const WallTime now = parts_.clock.Now();
  DT_ASSIGN_OR_RETURN(const Known known, parts_.database.Read([&](db::Transaction& txn) {
    return Find(txn, request.session_id());
  }));
  const std::string& principal = known.user.user.principal();
  if (!IsOpen(known.session, now)) {
    return FactorNeeded("the console is closed until the second factor is shown");
  }
  if (!rpc::MayCall(*access, known.role.role)) {
    DT_RETURN_IF_ERROR(TellRefused(request, known, now));
    return RoleLacks(principal, known.role.role, request.method());
  }
  if (access->fresh_factor() && !IsFresh(known.session, now)) {
    return FactorNeeded("this asks for a second factor that was shown in the last 15 minutes");
  }
  // A page that only listens keeps nobody's console open.
  if (!method->server_streaming()) DT_RETURN_IF_ERROR(Touch(request, known, now));
  DT_ASSIGN_OR_RETURN(const access::v1::Grant grant, GrantFor(request, known, now));
  v1::AuthorizeCallResponse response;
  DT_ASSIGN_OR_RETURN(*response.mutable_signed_grant(), parts_.sign(grant));
  return response;
}

}  // namespace devicetrust::policy
