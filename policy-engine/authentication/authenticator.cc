#include "policy-engine/authentication/authenticator.h"

#include <absl/strings/str_join.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "libs/base/client_network.h"
#include "libs/base/encoding.h"
#include "libs/base/log_sparsely.h"
#include "libs/base/names.h"
#include "libs/base/random_id.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/authentication/ticket_domain.h"
#include "policy-engine/log/plain_text.h"
#include "policy-engine/log/system_log.h"
#include "policy-engine/sessions/session_limits.h"
#include "policy-engine/sessions/session_store.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/known_networks.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using directory::PasswordVerdict;

constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kPasswordBytesMax = 256;
constexpr std::size_t kPeerAddressBytesMax = 64;
constexpr std::size_t kUserAgentBytesKept = 512;
constexpr std::size_t kEndedSessionIdBytesMax = 64;
constexpr std::size_t kThrottleSecretBytes = 16;

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
      return RefusedSignIn(reason::v1::REASON_ACCOUNT_EXPIRED,
                           "the account has expired in Active Directory",
                           "Ask your administrator to extend the account: it has expired.");
    case PasswordVerdict::kNotPermittedNow:
      return RefusedSignIn(reason::v1::REASON_LOGON_NOT_PERMITTED,
                           "Active Directory does not let the account sign in now, or from here",
                           "Try again within your logon hours, or ask your administrator.");
  }
  return absl::InternalError("no such password verdict");
}

absl::Status ThrottledSignIn(std::chrono::seconds retry_after) {
  return rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_THROTTLED,
                        "too many failed attempts", {}, "Wait a little before you try again.",
                        retry_after);
}

absl::Status TooManyAtOnce() {
  return rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                        "too many sign-ins at once", {}, "Try again in a moment.",
                        std::chrono::seconds{1});
}

absl::Status DeactivatedUser() {
  return rpc::MakeError(absl::StatusCode::kPermissionDenied, reason::v1::REASON_USER_DEACTIVATED,
                        "the user is deactivated in this org", {},
                        "Ask your administrator to activate you.");
}

absl::Status DirectoryAway(const absl::Status& why) {
  LogSparsely(LogLevel::kError, "authentication.directory.unavailable", {},
              {{"error", std::string(why.message())}});
  return rpc::MakeError(absl::StatusCode::kUnavailable, reason::v1::REASON_DEPENDENCY_UNAVAILABLE,
                        "the directory that checks passwords does not answer", "directory",
                        "Try again in a moment.", std::chrono::seconds{2});
}

// The domain that answers for a typed name. One of no domain that is known here costs a search
// and a bind anyhow, so that the time tells nothing.
const directory::Domain& DomainFor(const directory::Registry& directories,
                                   const absl::StatusOr<directory::Principal>& principal) {
  return principal.ok() ? *principal->domain : directories.domains().front();
}

// Whose account a typed name is, before anybody binds: of a name the directory does not say whose
// it is, and one person has many (UPN, account name, with one domain or the other). kNotFound:
// nobody's.
absl::StatusOr<directory::User> FindAccount(const directory::Registry& directories,
                                            const absl::StatusOr<directory::Principal>& principal,
                                            const std::string& typed) {
  if (directories.domains().empty()) {
    return absl::UnavailableError("no directory is configured (--directory)");
  }
  absl::StatusOr<directory::User> user =
      DomainFor(directories, principal)
          .directory->FindUserByName(principal.ok() ? principal->user
                                                    : directory::UserName{typed, {}});
  if (user.ok() && !principal.ok()) return absl::NotFoundError("of no domain that is known here");
  return user;
}

// For the throttle's sketches. Without randomness they could be filled on purpose, and work.
Bytes NewSecret(Random& random) {
  Bytes secret(kThrottleSecretBytes);
  random.Fill(secret).IgnoreError();
  return secret;
}

// Among the attempts at once, while it lives.
class Place {
 public:
  Place(FailureThrottle& throttle, std::string network)
      : throttle_(throttle), network_(std::move(network)), entered_(throttle.Enter(network_)) {}
  ~Place() {
    if (entered_) throttle_.Leave(network_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool entered() const { return entered_; }

 private:
  FailureThrottle& throttle_;
  const std::string network_;
  const bool entered_;
};

StoredSession NewSession(const v1::StartSessionRequest& request,
                         const v1::StartSessionResponse& response) {
  StoredSession session;
  session.id = response.session_id();
  session.user_id = response.user().id();
  session.started_at = rpc::FromTimestamp(response.authenticated_at());
  session.expires_at = rpc::FromTimestamp(response.expires_at());
  session.used_at = session.started_at;
  session.address = ToPlainText(request.client().address(), kPeerAddressBytesMax);
  session.user_agent = ToPlainText(request.client().user_agent(), kUserAgentBytesKept);
  return session;
}

struct Person {
  v1::User user;
  bool known_there = false;  // Has signed in from the network lately.
};

absl::StatusOr<Person> FindPerson(db::Transaction& txn, const std::string& sid,
                                  const std::string& network, WallTime now) {
  DT_ASSIGN_OR_RETURN(StoredUser found, FindUserBySid(txn, sid));
  DT_ASSIGN_OR_RETURN(const bool known,
                      IsKnownNetwork(txn, found.user.id(), Shown::kPassword, network, now));
  return Person{std::move(found.user), known};
}

}  // namespace

// What came of one name and password.
struct Authenticator::Attempt {
  absl::Status status;                  // OK: the password is right, and the user may sign in.
  std::string principal;                // The person's; of an unknown one as typed, folded.
  std::optional<v1::User> user;         // The org knows one of this account.
  reason::v1::Reason precise_reason{};  // For the System Log; `status` may tell less.
  FailureThrottle::Attempt guess;       // For the throttle.
  bool by_ticket = false;               // And without a password.
};

Authenticator::Authenticator(Parts parts)
    : parts_(std::move(parts)),
      throttle_(parts_.limits, NewSecret(parts_.random)),
      nobody_("nobody-" + NewRandomHex(16, parts_.random).value_or("")),
      throttled_({.each_max = 1, .all_max = 32, .keys_max = 32}),
      wrong_({.each_max = 30, .all_max = 300, .keys_max = 64}),
      unknown_({.each_max = 10, .all_max = 100, .keys_max = 32}) {}

bool Authenticator::IsTold(const Attempt& attempt) {
  if (attempt.status.ok()) return true;
  if (attempt.precise_reason == reason::v1::REASON_THROTTLED) {
    return throttled_.Count(attempt.guess.network);
  }
  return (attempt.user ? wrong_ : unknown_).Count(attempt.guess.network);
}

absl::StatusOr<v1::StartSessionResponse> Authenticator::StartSession(
    const v1::StartSessionRequest& request) {
  const std::string& address = request.client().address();
  if (request.principal().size() > kNameBytesMax || request.password().size() > kPasswordBytesMax) {
    return MalformedSignIn("user name and password have at most 256 bytes", "principal");
  }
  if (address.empty() || address.size() > kPeerAddressBytesMax) {
    return MalformedSignIn("the client's address is missing", "client.address");
  }
  const Place place(throttle_, ClientNetwork(address));
  if (!place.entered()) return TooManyAtOnce();
  return Conclude(request, Judge(request));
}

absl::StatusOr<v1::StartSessionResponse> Authenticator::Conclude(
    const v1::StartSessionRequest& request, const Attempt& attempt) {
  const WallTime now = parts_.clock.Now();
  v1::StartSessionResponse response;
  if (attempt.status.ok()) {
    DT_ASSIGN_OR_RETURN(*response.mutable_session_id(), NewRandomId(parts_.random));
    *response.mutable_authenticated_at() = rpc::ToTimestamp(now);
    *response.mutable_expires_at() =
        rpc::ToTimestamp(now + SessionLimitsOf(parts_.store.state()->settings).lifetime);
    *response.mutable_user() = *attempt.user;
  }
  if (IsTold(attempt)) {
    const absl::Status recorded = Record(request, attempt, response, now);
    // A session that the log knows nothing of is not opened; a refusal stays one.
    if (attempt.status.ok()) DT_RETURN_IF_ERROR(recorded);
  }
  if (!attempt.status.ok()) return attempt.status;
  parts_.accounts.Saw(attempt.user->id(), now);
  return response;
}

absl::StatusOr<v1::StartTicketSessionResponse> Authenticator::StartTicketSession(
    const v1::StartTicketSessionRequest& request) {
  if (!parts_.take_tickets) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied,
                          reason::v1::REASON_CALLER_NOT_ALLOWED,
                          "the org opens no sessions by Kerberos tickets", {},
                          "Start dt-policy with --ticket-sign-in, or dt-gateway without a keytab.");
  }
  const std::string& address = request.client().address();
  if (request.account_sid().size() > kNameBytesMax || request.realm().size() > kNameBytesMax) {
    return MalformedSignIn("SID and realm have at most 256 bytes", "account_sid");
  }
  if (address.empty() || address.size() > kPeerAddressBytesMax) {
    return MalformedSignIn("the client's address is missing", "client.address");
  }
  const Place place(throttle_, ClientNetwork(address));
  if (!place.entered()) return TooManyAtOnce();
  v1::StartSessionRequest opened;  // As far as it is told.
  opened.set_principal(request.account_sid());
  *opened.mutable_client() = request.client();
  DT_ASSIGN_OR_RETURN(v1::StartSessionResponse started, Conclude(opened, JudgeTicket(request)));
  v1::StartTicketSessionResponse response;
  *response.mutable_user() = std::move(*started.mutable_user());
  response.set_session_id(started.session_id());
  *response.mutable_authenticated_at() = started.authenticated_at();
  *response.mutable_expires_at() = started.expires_at();
  return response;
}

// A ticket stays good for hours, whatever becomes of its account: the directory is asked now.
Authenticator::Attempt Authenticator::JudgeTicket(const v1::StartTicketSessionRequest& request) {
  Attempt attempt;
  attempt.by_ticket = true;
  attempt.principal = request.account_sid();
  attempt.guess.network = ClientNetwork(request.client().address());
  const auto refuse = [&attempt](const absl::Status& status) {
    attempt.status = status;
    attempt.precise_reason = rpc::ReasonOf(status);
    return std::move(attempt);
  };
  if (const auto status = CheckTicketDomain(parts_.directories, request); !status.ok()) {
    return refuse(status);
  }
  const auto person = parts_.database.Read(
      [&](db::Transaction& txn) { return FindUserBySid(txn, request.account_sid()); });
  if (!person.ok()) return refuse(person.status());
  attempt.user = person->user;
  attempt.principal = person->user.principal();
  const auto account = parts_.directories.FindUser(request.account_sid());
  if (absl::IsNotFound(account.status())) {
    return refuse(RefusedSignIn(reason::v1::REASON_USER_NOT_IN_DOMAIN,
                                "the account is no longer in Active Directory",
                                "Ask your administrator."));
  }
  if (!account.ok()) return refuse(DirectoryAway(account.status()));
  if (const auto status = CheckAccount(*account, parts_.clock.Now()); !status.ok()) {
    return refuse(status);
  }
  return refuse(person->user.status() == v1::USER_STATUS_ACTIVE ? absl::OkStatus()
                                                                : DeactivatedUser());
}

Authenticator::Attempt Authenticator::Judge(const v1::StartSessionRequest& request) {
  Attempt attempt;
  const std::shared_ptr<const OrgState> org = parts_.store.state();
  const auto& domains = org->settings.ad_domains();
  const absl::StatusOr<directory::Principal> principal =
      parts_.directories.Resolve(request.principal(), domains.empty() ? std::string() : domains[0]);
  attempt.principal = principal.ok() ? principal->name : FoldName(request.principal());
  const auto refuse = [&attempt](absl::Status status, reason::v1::Reason precise_reason) {
    attempt.status = std::move(status);
    attempt.precise_reason = precise_reason;
    return std::move(attempt);
  };
  const WallTime now = parts_.clock.Now();
  FailureThrottle::Attempt& guess = attempt.guess;
  guess.name = attempt.principal;
  guess.network = ClientNetwork(request.client().address());
  // A network that is over its limit costs the directory nothing, unless somebody is known there.
  if (const auto wait = throttle_.WaitOfNetwork(guess.network, now)) {
    const absl::StatusOr<bool> known = parts_.database.Read(
        [&](db::Transaction& txn) { return IsKnownToAnybody(txn, guess.network, now); });
    if (known.ok() && !*known) {
      return refuse(ThrottledSignIn(*wait), reason::v1::REASON_THROTTLED);
    }
  }
  const absl::StatusOr<directory::User> account =
      FindAccount(parts_.directories, principal, request.principal());
  if (!account.ok() && !absl::IsNotFound(account.status())) {
    return refuse(DirectoryAway(account.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  }
  // Failures count by account, whichever of its names they came with.
  if (account.ok()) guess.account = account->sid;
  const absl::StatusOr<Person> person = parts_.database.Read(
      [&](db::Transaction& txn) { return FindPerson(txn, guess.account, guess.network, now); });
  if (!person.ok() && !absl::IsNotFound(person.status())) {
    return refuse(person.status(), rpc::ReasonOf(person.status()));
  }
  if (person.ok()) {
    attempt.user = person->user;
    attempt.principal = person->user.principal();
    guess.known = person->known_there;
  }
  if (const auto wait = throttle_.Begin(guess, now)) {
    return refuse(ThrottledSignIn(*wait), reason::v1::REASON_THROTTLED);
  }

  // Of an unknown user too, so that the time tells nothing. Never as what was typed: Active
  // Directory knows accounts by more names than a search finds (display name, SID, GUID, a DN in
  // any spelling), and would count the wrong password against them, past the throttle.
  const directory::Domain& domain = DomainFor(parts_.directories, principal);
  const absl::StatusOr<PasswordVerdict> verdict = domain.directory->CheckPassword(
      account.ok() ? account->distinguished_name : nobody_ + '@' + domain.dns_name,
      request.password());
  if (!verdict.ok()) {
    throttle_.Forget(guess);
    return refuse(DirectoryAway(verdict.status()), reason::v1::REASON_DEPENDENCY_UNAVAILABLE);
  }
  const bool right =
      attempt.user && *verdict != PasswordVerdict::kWrong && *verdict != PasswordVerdict::kLocked;
  if (right) {
    throttle_.Succeeded(guess);
  } else {
    throttle_.Failed(guess, now);
  }
  if (!attempt.user) {
    const bool elsewhere = absl::IsPermissionDenied(principal.status());
    return refuse(WrongPassword(), elsewhere ? reason::v1::REASON_UNTRUSTED_FOREST
                                             : reason::v1::REASON_USER_UNKNOWN);
  }
  if (right && attempt.user->status() != v1::USER_STATUS_ACTIVE) {
    return refuse(DeactivatedUser(), reason::v1::REASON_USER_DEACTIVATED);
  }
  const absl::Status status = StatusOfVerdict(*verdict);
  return refuse(status, rpc::ReasonOf(status));
}

absl::Status Authenticator::EndSurplus(db::Transaction& txn, const v1::User& user,
                                       const std::string& event_id, WallTime now) {
  DT_ASSIGN_OR_RETURN(const std::vector<std::string> surplus,
                      ListSurplusSessions(txn, user.id(), now));
  if (surplus.empty()) return absl::OkStatus();
  for (const std::string& id : surplus) {
    DT_RETURN_IF_ERROR(SessionChanges::AppendEnded(txn, id, now));
  }
  v1::Event event =
      EventBuilder("user.session.end", "Sessions ended that were not used for longest", now)
          .Actor(TheOrg())
          .Target("User", user.id(), user.principal())
          .Outcome(v1::EventOutcome::RESULT_SUCCESS)
          .Debug("sessions_max", std::to_string(kSessionsOfUserMax))
          .Debug("session_ids", absl::StrJoin(surplus, " "))
          .Take();
  event.set_id(event_id);
  return parts_.events.Append(txn, event);
}

absl::Status Authenticator::Record(const v1::StartSessionRequest& request, const Attempt& attempt,
                                   const v1::StartSessionResponse& response, WallTime now) {
  EventBuilder builder("user.session.start", "User login to the org", now);
  builder.ActorUser(attempt.user ? attempt.user->id() : std::string(),
                    attempt.user ? attempt.user->principal() : request.principal());
  builder.Client(request.client());
  if (attempt.status.ok()) {
    builder.Outcome(v1::EventOutcome::RESULT_SUCCESS);
  } else {
    builder.Outcome(v1::EventOutcome::RESULT_FAILURE, attempt.precise_reason);
  }
  v1::Event event = builder.Debug("session_id", response.session_id())
                        .Debug("credential", attempt.by_ticket ? "kerberos ticket" : "")
                        .Take();
  v1::Event surplus;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  DT_RETURN_IF_ERROR(parts_.events.Identify(surplus));
  return parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    if (attempt.status.ok()) {
      if (!attempt.by_ticket) {
        DT_RETURN_IF_ERROR(
            RememberNetwork(txn, attempt.user->id(), Shown::kPassword, attempt.guess.network, now));
      }
      DT_RETURN_IF_ERROR(StoreSession(txn, NewSession(request, response)));
      DT_RETURN_IF_ERROR(EndSurplus(txn, *attempt.user, surplus.id(), now));
      DT_RETURN_IF_ERROR(NoteAdminSession(txn, response.session_id(), attempt.user->id(), now));
    }
    return parts_.events.Append(txn, event);
  });
}

absl::Status Authenticator::TellRefused() {
  const WallTime now = parts_.clock.Now();
  throttle_.Prune(now);
  std::vector<v1::Event> events;
  const auto tell = [&](Tally& tally, reason::v1::Reason reason) -> absl::Status {
    for (const Tally::Sum& sum : tally.TakeSums()) {
      v1::ClientInfo client;
      client.set_address(sum.key);
      events.push_back(EventBuilder("user.session.refuse", "Refused logins, counted", now)
                           .Actor(TheOrg())
                           .Client(client)
                           .Outcome(v1::EventOutcome::RESULT_FAILURE, reason)
                           .Debug("count", std::to_string(sum.untold))
                           .Take());
      DT_RETURN_IF_ERROR(parts_.events.Identify(events.back()));
    }
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(tell(throttled_, reason::v1::REASON_THROTTLED));
  DT_RETURN_IF_ERROR(tell(wrong_, reason::v1::REASON_PASSWORD_WRONG));
  DT_RETURN_IF_ERROR(tell(unknown_, reason::v1::REASON_USER_UNKNOWN));
  if (events.empty()) return absl::OkStatus();
  return parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    for (const v1::Event& event : events) DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::EndSessionResponse> Authenticator::EndSession(
    const v1::EndSessionRequest& request) {
  const std::string& session_id = request.session_id();
  if (session_id.empty() || session_id.size() > kEndedSessionIdBytesMax) {
    return MalformedSignIn("the session id has 1 to 64 bytes", "session_id");
  }
  const WallTime now = parts_.clock.Now();
  v1::Event event = EventBuilder("user.session.end", "User logout from the org", now)
                        .ActorUser(request.user_id(), {})
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Debug("session_id", session_id)
                        .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto end = [&](db::Transaction& txn) -> absl::StatusOr<v1::EndSessionResponse> {
    v1::EndSessionResponse response;
    DT_ASSIGN_OR_RETURN(const bool over, SessionChanges::HasEnded(txn, session_id));
    if (over) return response;
    DT_ASSIGN_OR_RETURN(std::vector<std::string> opened, ListOpenedApps(txn, session_id));
    for (std::string& app : opened) response.add_app_ids(std::move(app));
    DT_RETURN_IF_ERROR(SessionChanges::AppendEnded(txn, session_id, now));
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
    return response;
  };
  return parts_.database.Write(end);
}

}  // namespace devicetrust::policy
