#include "policy-engine/authentication/sign_in_service.h"

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/log.h"
#include "libs/rpc/error.h"
#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/sessions/session_stream.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using directory::PasswordVerdict;

constexpr std::size_t kSignInNameBytesMax = 256;
constexpr std::size_t kSignInPasswordBytesMax = 256;
constexpr std::size_t kSignInAddressBytesMax = 64;
constexpr std::size_t kEndedSessionIdBytesMax = 64;

absl::Status MalformedSignIn(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

// The one answer to whoever has not shown the right password: it does not tell whether the
// user exists. `reason` is for the System Log alone.
absl::Status WrongPassword() {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_PASSWORD_WRONG,
                        "user name or password is wrong", {},
                        "Check both; your password is that of your Windows account.");
}

absl::Status RefusedSignIn(reason::v1::Reason reason, std::string message, std::string remedy) {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason, std::move(message), {},
                        std::move(remedy));
}

absl::Status StatusOfVerdict(PasswordVerdict verdict) {
  switch (verdict) {
    case PasswordVerdict::kAccepted:
      return absl::OkStatus();
    case PasswordVerdict::kWrong:
      return WrongPassword();
    case PasswordVerdict::kDisabled:
      return RefusedSignIn(reason::v1::REASON_USER_DISABLED,
                           "the account is disabled in Active Directory",
                           "Ask your administrator to enable the account.");
    case PasswordVerdict::kLocked:
      return RefusedSignIn(reason::v1::REASON_ACCOUNT_LOCKED,
                           "the account is locked in Active Directory",
                           "Wait until the lock ends, or ask your administrator to unlock it.");
    case PasswordVerdict::kMustChange:
      return RefusedSignIn(reason::v1::REASON_PASSWORD_MUST_CHANGE,
                           "the password must be changed first",
                           "Sign in to a Windows computer of the company and change it there.");
    case PasswordVerdict::kExpired:
      return RefusedSignIn(reason::v1::REASON_USER_DISABLED,
                           "the account has expired in Active Directory",
                           "Ask your administrator to prolong the account.");
    case PasswordVerdict::kNotPermittedNow:
      return RefusedSignIn(reason::v1::REASON_USER_DISABLED,
                           "the account may not sign in at this time",
                           "Try again within your logon hours.");
  }
  return absl::InternalError("no such password verdict");
}

absl::Status ThrottledSignIn(std::chrono::seconds retry_after) {
  return rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_THROTTLED,
                        "too many failed attempts", {}, "Wait a little before you try again.",
                        retry_after);
}

}  // namespace

std::string PrincipalOf(std::string_view typed, std::string_view ad_domain) {
  const std::string name = LowerPrincipal(typed);
  if (name.empty() || name.find('@') != std::string::npos) return name;
  const std::string domain = LowerPrincipal(ad_domain);
  const std::size_t backslash = name.find('\\');
  if (backslash == std::string::npos) return name + '@' + domain;
  const std::string of = name.substr(0, backslash);
  if (of != domain && of != domain.substr(0, domain.find('.'))) return {};
  return name.substr(backslash + 1) + '@' + domain;
}

// One VerifyPassword() on its way.
struct SignInService::Attempt {
  std::string principal;                // Normalized.
  std::optional<v1::User> user;         // The org knows one of this principal.
  reason::v1::Reason precise_reason{};  // For the System Log.
  bool worth_an_event = true;
};

grpc::Status SignInService::VerifyPassword(grpc::ServerContext* /*context*/,
                                           const v1::VerifyPasswordRequest* request,
                                           v1::VerifyPasswordResponse* response) {
  auto verified = Verify(*request);
  if (!verified.ok()) return rpc::ToGrpc(rpc::StoreError(verified.status()));
  *response = *std::move(verified);
  return grpc::Status::OK;
}

absl::StatusOr<v1::VerifyPasswordResponse> SignInService::Verify(
    const v1::VerifyPasswordRequest& request) {
  const std::string& address = request.client().address();
  if (request.principal().size() > kSignInNameBytesMax ||
      request.password().size() > kSignInPasswordBytesMax) {
    return MalformedSignIn("user name and password have at most 256 bytes", "principal");
  }
  if (address.empty() || address.size() > kSignInAddressBytesMax) {
    return MalformedSignIn("the client's address is missing", "client.address");
  }
  Attempt attempt;
  attempt.principal = PrincipalOf(request.principal(), parts_.store.state()->settings.ad_domain());
  const absl::Status judged = Judge(request, attempt);
  const WallTime now = parts_.clock.Now();

  v1::VerifyPasswordResponse response;
  if (judged.ok()) {
    std::array<std::uint8_t, 16> id{};
    DT_RETURN_IF_ERROR(parts_.random.Fill(id));
    response.set_session_id(Base64UrlEncode(id));
    *response.mutable_authenticated_at() = rpc::ToTimestamp(now);
    *response.mutable_user() = *attempt.user;
  }
  if (attempt.worth_an_event) {
    const absl::Status recorded = Record(request, attempt, now, response);
    // A session that the log knows nothing of is not opened; a refusal stays one.
    if (judged.ok()) DT_RETURN_IF_ERROR(recorded);
  }
  if (!judged.ok()) return judged;
  return response;
}

absl::Status SignInService::Judge(const v1::VerifyPasswordRequest& request, Attempt& attempt) {
  const std::string& address = request.client().address();
  if (const auto refusal = throttle_.Begin(attempt.principal, address, parts_.clock.Now())) {
    attempt.precise_reason = reason::v1::REASON_THROTTLED;
    attempt.worth_an_event = refusal->first;
    return ThrottledSignIn(refusal->retry_after);
  }
  const absl::StatusOr<Person> person =
      parts_.database.Read([&](db::Transaction& txn) -> absl::StatusOr<Person> {
        return FindPersonByPrincipal(txn, attempt.principal);
      });
  if (person.ok()) attempt.user = person->user;
  if (!person.ok() && !absl::IsNotFound(person.status())) {
    throttle_.Forget(attempt.principal, address, parts_.clock.Now());
    attempt.precise_reason = rpc::ReasonOf(person.status());
    return person.status();
  }

  // An unknown user costs the same bind, so that the time tells nothing either.
  const std::string& bind_name =
      attempt.principal.empty() ? request.principal() : attempt.principal;
  const absl::StatusOr<PasswordVerdict> verdict =
      parts_.check_password(bind_name, request.password());
  if (!verdict.ok()) {
    throttle_.Forget(attempt.principal, address, parts_.clock.Now());
    attempt.precise_reason = reason::v1::REASON_DEPENDENCY_UNAVAILABLE;
    Log(LogLevel::kError, "sign_in.directory_unavailable",
        {{"error", std::string(verdict.status().message())}});
    return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                          "the directory that checks passwords does not answer", "directory",
                          "Try again in a moment.", std::chrono::seconds{2});
  }
  const bool right = *verdict != PasswordVerdict::kWrong && *verdict != PasswordVerdict::kLocked;
  if (!attempt.user) {
    attempt.precise_reason = reason::v1::REASON_USER_UNKNOWN;
    return WrongPassword();
  }
  if (right) throttle_.Succeeded(attempt.principal, address, parts_.clock.Now());
  if (right && attempt.user->status() != v1::USER_STATUS_ACTIVE) {
    attempt.precise_reason = reason::v1::REASON_USER_DEACTIVATED;
    return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_USER_DEACTIVATED,
                          "the user is deactivated in this org", {},
                          "Ask your administrator to activate you.");
  }
  const absl::Status status = StatusOfVerdict(*verdict);
  attempt.precise_reason = rpc::ReasonOf(status);
  return status;
}

absl::Status SignInService::Record(const v1::VerifyPasswordRequest& request, const Attempt& attempt,
                                   WallTime now, const v1::VerifyPasswordResponse& response) {
  const bool success = response.has_user();
  const std::string typed = request.principal();
  EventBuilder builder("user.session.start", "User login to the org", now);
  builder.ActorUser(attempt.user ? attempt.user->id() : std::string(),
                    attempt.user ? attempt.user->principal() : typed);
  builder.Client(request.client());
  if (success) {
    builder.Outcome(v1::EventOutcome::RESULT_SUCCESS);
  } else {
    builder.Outcome(v1::EventOutcome::RESULT_FAILURE, rpc::ReasonName(attempt.precise_reason));
  }
  v1::Event event = builder.Debug("session_id", response.session_id()).Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  return parts_.database.Write(
      [&](db::Transaction& txn) { return parts_.events.Append(txn, event); });
}

grpc::Status SignInService::EndSession(grpc::ServerContext* /*context*/,
                                       const v1::EndSessionRequest* request,
                                       v1::EndSessionResponse* /*response*/) {
  const std::string& session_id = request->session_id();
  if (session_id.empty() || session_id.size() > kEndedSessionIdBytesMax) {
    return rpc::ToGrpc(MalformedSignIn("the session id has 1 to 64 bytes", "session_id"));
  }
  const WallTime now = parts_.clock.Now();
  v1::Event event = EventBuilder("user.session.end", "User logout from the org", now)
                        .ActorUser(request->user_id(), {})
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Debug("session_id", session_id)
                        .Take();
  absl::Status ended = parts_.events.Identify(event);
  if (ended.ok()) {
    ended = parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
      DT_ASSIGN_OR_RETURN(const bool over, SessionChanges::HasEnded(txn, session_id));
      if (over) return absl::OkStatus();
      DT_RETURN_IF_ERROR(SessionChanges::AppendEnded(txn, session_id, now));
      return parts_.events.Append(txn, event);
    });
  }
  if (!ended.ok()) return rpc::ToGrpc(rpc::StoreError(ended));
  parts_.sessions.Announce();
  return grpc::Status::OK;
}

grpc::Status SignInService::WatchSessions(grpc::ServerContext* context,
                                          const v1::WatchSessionsRequest* request,
                                          grpc::ServerWriter<v1::WatchSessionsResponse>* writer) {
  return StreamSessionChanges(parts_.sessions, parts_.clock, *context, *request, *writer);
}

grpc::Status SignInService::GetGatewayKeys(grpc::ServerContext* /*context*/,
                                           const v1::GetGatewayKeysRequest* /*request*/,
                                           v1::GatewayKeys* response) {
  auto keys = parts_.keys.Current();
  if (!keys.ok()) return rpc::ToGrpc(rpc::StoreError(keys.status()));
  *response = *std::move(keys);
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
