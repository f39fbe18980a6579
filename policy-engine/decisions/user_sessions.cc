#include "policy-engine/decisions/user_sessions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/log/user_agent.h"
#include "policy-engine/sessions/session_changes.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kSessionsListed = 100;
constexpr int kSessionsEndedAtOnce = 100;

// Names a session for those who may end it. Its id would open it to whoever can seal a cookie.
std::string HandleOf(const std::string& session_id) {
  return Base64UrlEncode(pki::Sha256(session_id));
}

template <typename Request>
absl::Status CheckAsker(const rpc::Caller& caller, const Request& request) {
  switch (request.owner_case()) {
    case Request::kSession:
      return absl::OkStatus();
    case Request::kUserId:
      if (caller.kind == rpc::Caller::Kind::kAdmin) return absl::OkStatus();
      return rpc::MakeError(absl::StatusCode::kPermissionDenied,
                            reason::v1::REASON_CALLER_NOT_ALLOWED,
                            "only an admin asks for somebody else's sessions", caller.name,
                            "Call with the user's session.");
    case Request::OWNER_NOT_SET:
      break;
  }
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        "name a user, or the session of one", "owner");
}

// Whose sessions are asked for.
template <typename Request>
absl::StatusOr<StoredUser> FindOwner(db::Transaction& txn, const Request& request,
                                     const SessionLimits& limits, WallTime now) {
  if (request.has_user_id()) return FindUserById(txn, request.user_id());
  DT_ASSIGN_OR_RETURN(OpenSession open, CheckSession(txn, ClaimOf(request.session()), limits, now));
  return std::move(open.user);
}

WallTime EndOf(const StoredSession& session, const SessionLimits& limits) {
  WallTime end = std::min(session.expires_at, session.started_at + limits.lifetime);
  if (limits.idle.count() > 0) end = std::min(end, session.used_at + limits.idle);
  return end;
}

absl::StatusOr<std::vector<StoredSession>> LiveSessions(db::Transaction& txn,
                                                        const StoredUser& owner,
                                                        const SessionLimits& limits, WallTime now) {
  DT_ASSIGN_OR_RETURN(std::vector<StoredSession> sessions,
                      ListSessionsOf(txn, owner.user.id(), owner.sessions_from));
  std::erase_if(sessions,
                [&](const StoredSession& session) { return EndOf(session, limits) <= now; });
  return sessions;
}

v1::UserSession ToMessage(const StoredSession& session, const SessionLimits& limits,
                          const OrgState& org) {
  v1::UserSession message;
  message.set_id(HandleOf(session.id));
  *message.mutable_started_at() = rpc::ToTimestamp(session.started_at);
  *message.mutable_used_at() = rpc::ToTimestamp(session.used_at);
  *message.mutable_expires_at() = rpc::ToTimestamp(EndOf(session, limits));
  message.mutable_client()->set_address(session.address);
  message.mutable_client()->set_user_agent(session.user_agent);
  const UserAgent agent = ParseUserAgent(session.user_agent);
  message.set_browser(agent.browser);
  message.set_system(std::string(agent.os));
  const std::optional<IpAddress> address = IpAddress::Parse(session.address);
  for (const Zone& zone : org.zones) {
    if (address && zone.Contains(*address)) message.add_zones(zone.name());
  }
  message.set_device_id(session.device_id);
  message.set_certificate_serial(session.serial);
  return message;
}

// By the user or by an admin, of the user.
v1::Event WithActor(EventBuilder builder, const rpc::Caller& caller, bool by_admin,
                    const v1::User& user) {
  if (by_admin) {
    builder.Actor(caller);
  } else {
    builder.ActorUser(user.id(), user.principal());
  }
  return builder.Target("User", user.id(), user.principal())
      .Outcome(v1::EventOutcome::RESULT_SUCCESS)
      .Take();
}

v1::Event EndedEvent(const rpc::Caller& caller, bool by_admin, const v1::User& user,
                     const StoredSession& session, WallTime now) {
  EventBuilder builder("user.session.end", "Session ended from the list of sessions", now);
  builder.Debug("session_id", session.id);
  return WithActor(std::move(builder), caller, by_admin, user);
}

v1::Event ClearedEvent(const rpc::Caller& caller, bool by_admin, const v1::User& user,
                       WallTime now) {
  EventBuilder builder("user.session.clear", "User signed out everywhere", now);
  return WithActor(std::move(builder), caller, by_admin, user);
}

}  // namespace

absl::StatusOr<v1::ListSessionsResponse> UserSessions::List(
    const rpc::Caller& caller, const v1::ListSessionsRequest& request) const {
  DT_RETURN_IF_ERROR(CheckAsker(caller, request));
  const WallTime now = parts_.clock.Now();
  const auto org = parts_.store.state();
  const SessionLimits limits = SessionLimitsOf(org->settings);
  const auto list = [&](db::Transaction& txn) -> absl::StatusOr<v1::ListSessionsResponse> {
    DT_ASSIGN_OR_RETURN(const StoredUser owner, FindOwner(txn, request, limits, now));
    DT_ASSIGN_OR_RETURN(const auto sessions, LiveSessions(txn, owner, limits, now));
    v1::ListSessionsResponse response;
    for (const StoredSession& session : sessions) {
      if (response.sessions_size() == kSessionsListed) break;
      v1::UserSession& message = *response.add_sessions();
      message = ToMessage(session, limits, *org);
      message.set_asks(session.id == request.session().session_id());
      DT_ASSIGN_OR_RETURN(std::vector<std::string> apps, ListOpenedApps(txn, session.id));
      for (std::string& app : apps) message.add_app_ids(std::move(app));
    }
    response.set_more(static_cast<std::int32_t>(sessions.size()) - response.sessions_size());
    return response;
  };
  return parts_.database.Read(list);
}

absl::StatusOr<v1::EndSessionsResponse> UserSessions::End(const rpc::Caller& caller,
                                                          const v1::EndSessionsRequest& request) {
  DT_RETURN_IF_ERROR(CheckAsker(caller, request));
  if (!request.all() && (request.ids().empty() || request.ids_size() > kSessionsEndedAtOnce)) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "name 1 to 100 sessions, or ask for all", "ids");
  }
  const WallTime now = parts_.clock.Now();
  const SessionLimits limits = SessionLimitsOf(parts_.store.state()->settings);
  const bool by_admin = request.has_user_id();
  std::vector<v1::Event> identified(request.all() ? 1 : request.ids_size());
  for (v1::Event& event : identified) DT_RETURN_IF_ERROR(parts_.events.Identify(event));

  const auto end = [&](db::Transaction& txn) -> absl::StatusOr<v1::EndSessionsResponse> {
    DT_ASSIGN_OR_RETURN(const StoredUser owner, FindOwner(txn, request, limits, now));
    DT_ASSIGN_OR_RETURN(const auto sessions, LiveSessions(txn, owner, limits, now));
    v1::EndSessionsResponse response;
    if (request.all()) {
      // Those too that have no row, or are not listed.
      DT_RETURN_IF_ERROR(MarkSessionsEnded(txn, owner.user.id()).status());
      DT_RETURN_IF_ERROR(WriteSessionsFrom(txn, owner.user.id(), now));
      DT_RETURN_IF_ERROR(
          SessionChanges::AppendUserStatus(txn, owner.user.id(), /*active=*/false, now));
      v1::Event event = ClearedEvent(caller, by_admin, owner.user, now);
      event.set_id(identified.front().id());
      response.set_ended(static_cast<std::int32_t>(sessions.size()));
      DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
      return response;
    }
    for (const StoredSession& session : sessions) {
      if (std::ranges::count(request.ids(), HandleOf(session.id)) == 0) continue;
      DT_RETURN_IF_ERROR(SessionChanges::AppendEnded(txn, session.id, now));
      v1::Event event = EndedEvent(caller, by_admin, owner.user, session, now);
      event.set_id(identified[static_cast<std::size_t>(response.ended())].id());
      response.set_ended(response.ended() + 1);
      DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
    }
    return response;
  };
  return parts_.database.Write(end);
}

}  // namespace devicetrust::policy
