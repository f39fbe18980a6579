#include "policy-engine/decisions/factor_enrollment.h"

#include <optional>
#include <utility>

#include "libs/base/client_network.h"
#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/factor_completion.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/log/plain_text.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/pending_factor.h"
#include "policy-engine/users/recovery_codes.h"
#include "policy-engine/users/totp.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::chrono::seconds kSkewOfGateways{30};
constexpr std::size_t kEnrollerAddressBytesMax = 64;

absl::Status UnknownEnrollment() {
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_ENROLLMENT_UNKNOWN,
                        "no second factor waits for its first code in this session", {},
                        "Begin the enrollment again.");
}

// The owner of a factor may replace it, and nobody who has only the password.
absl::Status CheckFresh(const v1::SessionInfo& session, WallTime now) {
  if (session.has_factor_at()) {
    const WallTime shown = rpc::FromTimestamp(session.factor_at());
    if (shown <= now + kSkewOfGateways && now - shown < kFactorFreshFor) return absl::OkStatus();
  }
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_NEEDED,
                        "the second factor was not shown in this session in the last 15 minutes",
                        {}, "Show it, or ask an administrator to reset it.");
}

absl::Status SelfEnrollmentOff() {
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                        reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF,
                        "people of this org do not enroll their first factor by themselves", {},
                        "Ask an administrator for one.");
}

absl::Status AdministratorNeedsAnother(const v1::User& user) {
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                        reason::v1::REASON_FACTOR_SELF_ENROLLMENT_OFF,
                        "administrators do not enroll their first factor by themselves",
                        user.principal(), "Ask another administrator for one.");
}

// The user of the session, who has no factor or has just shown it.
absl::StatusOr<StoredUser> CheckOwner(db::Transaction& txn, const v1::SessionInfo& session,
                                      const SessionLimits& limits, WallTime now) {
  DT_ASSIGN_OR_RETURN(OpenSession open, CheckSession(txn, ClaimOf(session), limits, now));
  if (!open.user.user.factors().empty()) DT_RETURN_IF_ERROR(CheckFresh(session, now));
  return std::move(open.user);
}

// The same, of who is about to get a factor. The console opens with it, so that no password alone
// gets one for an administrator.
absl::StatusOr<StoredUser> CheckEnroller(db::Transaction& txn, const v1::SessionInfo& session,
                                         const v1::OrgSettings& settings, WallTime now) {
  DT_ASSIGN_OR_RETURN(StoredUser owner, CheckOwner(txn, session, SessionLimitsOf(settings), now));
  if (!owner.user.factors().empty()) return owner;
  if (!settings.factor_self_enrollment()) return SelfEnrollmentOff();
  DT_ASSIGN_OR_RETURN(const auto role, FindAdminRole(txn, owner.user.id()));
  if (role) return AdministratorNeedsAnother(owner.user);
  return owner;
}

v1::Event OwningUserEvent(std::string_view type, std::string_view message, const v1::User& user,
                          WallTime now) {
  return EventBuilder(type, message, now)
      .ActorUser(user.id(), user.principal())
      .Target("User", user.id(), user.principal())
      .Outcome(v1::EventOutcome::RESULT_SUCCESS)
      .Take();
}

absl::Status NotEnrolled(const v1::User& user) {
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                        reason::v1::REASON_FACTOR_NOT_ENROLLED, "the user has no second factor",
                        user.principal(), "Enroll one first; recovery codes come with it.");
}

v1::Event CodesEvent(const rpc::Caller& caller, bool by_admin, const v1::User& user, WallTime now) {
  v1::Event event =
      OwningUserEvent("user.mfa.recovery_codes.make", "Recovery codes made", user, now);
  if (by_admin) {
    *event.mutable_actor() = EventBuilder("", "", now).Actor(caller).Take().actor();
  }
  return event;
}

v1::ClientInfo PlainClient(const v1::ClientInfo& sent) {
  v1::ClientInfo client;
  client.set_address(ToPlainText(sent.address(), kEnrollerAddressBytesMax));
  client.set_user_agent(ToPlainText(sent.user_agent(), kUserAgentBytesRead));
  return client;
}

// Nothing: the code was not looked at.
std::optional<v1::Event> ShownEvent(const v1::ShowFactorRequest& request, const v1::User& user,
                                    const FactorAnswer& answer, WallTime now) {
  const bool accepted = answer.verdict == FactorVerdict::kAccepted;
  const bool wrong =
      answer.verdict == FactorVerdict::kWrong || answer.verdict == FactorVerdict::kReused;
  if (!accepted && !wrong) return std::nullopt;
  const auto& left = answer.recovery_codes_left;
  return EventBuilder("user.authentication.verify", "Verification of a second factor", now)
      .ActorUser(user.id(), user.principal())
      .Client(PlainClient(request.client()))
      .Target("User", user.id(), user.principal())
      .Outcome(accepted ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
               accepted ? reason::v1::REASON_UNSPECIFIED : reason::v1::REASON_FACTOR_WRONG)
      .Debug("factor", request.has_recovery_code() ? "recovery code" : "")
      .Debug("recovery_codes_left", left ? std::to_string(*left) : "")
      .Take();
}

v1::Event LockedEvent(const v1::ShowFactorRequest& request, const v1::User& user, WallTime now) {
  return EventBuilder("user.mfa.factor.lock", "Second factor locked: too many wrong codes", now)
      .ActorUser(user.id(), user.principal())
      .Client(PlainClient(request.client()))
      .Target("User", user.id(), user.principal())
      .Outcome(v1::EventOutcome::RESULT_FAILURE, reason::v1::REASON_FACTOR_LOCKED)
      .Take();
}

}  // namespace

absl::StatusOr<v1::BeginTotpEnrollmentResponse> FactorEnrollment::Begin(
    const v1::BeginTotpEnrollmentRequest& request) {
  const v1::SessionInfo& session = request.session();
  const WallTime now = parts_.clock.Now();
  const auto org = parts_.store.state();
  DT_ASSIGN_OR_RETURN(Bytes secret, parts_.factors.NewSecret());
  DT_ASSIGN_OR_RETURN(SealedFactor sealed, parts_.factors.Seal(session.user_id(), secret));
  DT_ASSIGN_OR_RETURN(const std::string id, NewRandomId(parts_.random));
  const WallTime expires_at = now + kPendingFactorFor;
  const auto begin = [&](db::Transaction& txn) -> absl::StatusOr<StoredUser> {
    DT_ASSIGN_OR_RETURN(StoredUser found, CheckEnroller(txn, session, org->settings, now));
    DT_RETURN_IF_ERROR(StorePendingFactor(
        txn, {found.user.id(), id, session.session_id(), sealed.sealed, expires_at}));
    return found;
  };
  DT_ASSIGN_OR_RETURN(const StoredUser found, parts_.database.Write(begin));
  v1::BeginTotpEnrollmentResponse response;
  response.set_enrollment_id(id);
  response.set_secret(ToString(secret));
  response.set_otpauth_uri(TotpUri(secret, org->DisplayName(), found.user.principal()));
  *response.mutable_expires_at() = rpc::ToTimestamp(expires_at);
  pki::Wipe(secret);
  return response;
}

absl::StatusOr<v1::ConfirmTotpEnrollmentResponse> FactorEnrollment::Confirm(
    const v1::ConfirmTotpEnrollmentRequest& request) {
  const v1::SessionInfo& session = request.session();
  const WallTime now = parts_.clock.Now();
  const auto org = parts_.store.state();
  DT_ASSIGN_OR_RETURN(const NewRecoveryCodes codes, MakeRecoveryCodes(parts_.random));
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const std::string address = request.client().address().substr(0, kEnrollerAddressBytesMax);

  // A wrong code is no error of the transaction, which counts it and must commit.
  const auto confirm = [&](db::Transaction& txn) -> absl::StatusOr<bool> {
    DT_ASSIGN_OR_RETURN(const StoredUser found, CheckEnroller(txn, session, org->settings, now));
    DT_ASSIGN_OR_RETURN(const auto pending, FindPendingFactor(txn, found.user.id(), now));
    const bool known = pending && pending->session_id == session.session_id() &&
                       pki::ConstantTimeEquals(std::string_view(pending->enrollment_id),
                                               std::string_view(request.enrollment_id()));
    if (!known) return UnknownEnrollment();
    DT_ASSIGN_OR_RETURN(const bool right,
                        parts_.factors.StoreIfShown(
                            txn, {found.user.id(), pending->sealed},
                            {found.user.id(), request.totp_code(), ClientNetwork(address)}, now));
    if (!right) {
      DT_RETURN_IF_ERROR(CountPendingFailure(txn, *pending));
      return false;
    }
    DT_RETURN_IF_ERROR(StoreRecoveryCodes(txn, found.user.id(), codes));
    v1::Event told = OwningUserEvent("user.mfa.factor.activate",
                                     "Second factor enrolled by its owner", found.user, now);
    told.set_id(event.id());
    const v1::ClientInfo client = PlainClient(request.client());
    told.mutable_client()->set_address(client.address());
    told.mutable_client()->set_user_agent(client.user_agent());
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
    return true;
  };
  DT_ASSIGN_OR_RETURN(const bool confirmed, parts_.database.Write(confirm));
  if (!confirmed) {
    return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_WRONG,
                          "the code is not of the new factor", {},
                          "Type the code that the app shows now; check the telephone's clock.");
  }
  v1::ConfirmTotpEnrollmentResponse response;
  for (const std::string& code : codes.codes) response.add_recovery_codes(code);
  *response.mutable_factor_at() = rpc::ToTimestamp(now);
  return response;
}

absl::StatusOr<v1::MakeRecoveryCodesResponse> FactorEnrollment::MakeCodes(
    const rpc::Caller& caller, const v1::MakeRecoveryCodesRequest& request) {
  const bool by_admin = request.owner_case() == v1::MakeRecoveryCodesRequest::kUserId;
  if (request.owner_case() == v1::MakeRecoveryCodesRequest::OWNER_NOT_SET) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "name a user, or the session of one", "owner");
  }
  if (by_admin && caller.kind != rpc::Caller::Kind::kAdmin) {
    return rpc::MakeError(absl::StatusCode::kPermissionDenied,
                          reason::v1::REASON_CALLER_NOT_ALLOWED,
                          "only an admin makes somebody else's recovery codes", caller.name,
                          "Call with the user's session.");
  }
  const WallTime now = parts_.clock.Now();
  const SessionLimits limits = SessionLimitsOf(parts_.store.state()->settings);
  DT_ASSIGN_OR_RETURN(const NewRecoveryCodes codes, MakeRecoveryCodes(parts_.random));
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto make = [&](db::Transaction& txn) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const StoredUser found,
                        by_admin ? FindUserById(txn, request.user_id())
                                 : CheckOwner(txn, request.session(), limits, now));
    if (found.user.factors().empty()) return NotEnrolled(found.user);
    DT_RETURN_IF_ERROR(StoreRecoveryCodes(txn, found.user.id(), codes));
    v1::Event told = CodesEvent(caller, by_admin, found.user, now);
    told.set_id(event.id());
    return parts_.events.Append(txn, told);
  };
  DT_RETURN_IF_ERROR(parts_.database.Write(make));
  v1::MakeRecoveryCodesResponse response;
  for (const std::string& code : codes.codes) response.add_recovery_codes(code);
  return response;
}

absl::StatusOr<v1::ShowFactorResponse> FactorEnrollment::Show(
    const v1::ShowFactorRequest& request) {
  const bool recovery = request.has_recovery_code();
  if (!request.has_totp_code() && !recovery) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "no factor is shown", "factor");
  }
  const WallTime now = parts_.clock.Now();
  const SessionLimits limits = SessionLimitsOf(parts_.store.state()->settings);
  v1::Event verified;
  v1::Event locked;
  DT_RETURN_IF_ERROR(parts_.events.Identify(verified));
  DT_RETURN_IF_ERROR(parts_.events.Identify(locked));
  struct Shown {
    FactorAnswer answer;
    v1::User user;
  };
  // A wrong code is no error of the transaction, which counts it and must commit.
  const auto show = [&](db::Transaction& txn) -> absl::StatusOr<Shown> {
    DT_ASSIGN_OR_RETURN(OpenSession open,
                        CheckSession(txn, ClaimOf(request.session()), limits, now));
    Shown shown{{}, std::move(open.user.user)};
    const FactorAttempt attempt{
        shown.user.id(), recovery ? request.recovery_code() : request.totp_code(),
        ClientNetwork(request.client().address().substr(0, kEnrollerAddressBytesMax)), recovery};
    DT_ASSIGN_OR_RETURN(shown.answer, parts_.factors.Verify(txn, attempt, now));
    if (const auto event = ShownEvent(request, shown.user, shown.answer, now)) {
      v1::Event told = *event;
      told.set_id(verified.id());
      DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
    }
    if (shown.answer.locks) {
      v1::Event told = LockedEvent(request, shown.user, now);
      told.set_id(locked.id());
      DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
    }
    return shown;
  };
  DT_ASSIGN_OR_RETURN(const Shown shown, parts_.database.Write(show));
  DT_RETURN_IF_ERROR(StatusOfFactor(shown.answer, shown.user));
  v1::ShowFactorResponse response;
  *response.mutable_factor_at() = rpc::ToTimestamp(now);
  if (const auto left = shown.answer.recovery_codes_left) response.set_recovery_codes_left(*left);
  return response;
}

absl::StatusOr<v1::GetFactorStatusResponse> FactorEnrollment::Status(
    const v1::GetFactorStatusRequest& request) const {
  const WallTime now = parts_.clock.Now();
  const auto look = [&](db::Transaction& txn) -> absl::StatusOr<v1::GetFactorStatusResponse> {
    DT_ASSIGN_OR_RETURN(const StoredUser found, FindUserById(txn, request.user_id()));
    v1::GetFactorStatusResponse response;
    DT_ASSIGN_OR_RETURN(const auto failures, parts_.factors.WrongCodes(txn, found.user.id()));
    response.set_totp(failures.has_value());
    response.set_wrong_codes(failures.value_or(0));
    response.set_locked(failures.value_or(0) >= parts_.factors.limits().failures_max);
    DT_ASSIGN_OR_RETURN(const std::int32_t left, CountRecoveryCodes(txn, found.user.id()));
    response.set_recovery_codes_left(left);
    DT_ASSIGN_OR_RETURN(const auto pending, FindPendingFactor(txn, found.user.id(), now));
    response.set_enrollment_begun(pending.has_value());
    return response;
  };
  return parts_.database.Read(look);
}

}  // namespace devicetrust::policy
