#include "policy-engine/decisions/factor_enrollment.h"

#include <optional>
#include <utility>

#include "libs/base/client_network.h"
#include "libs/base/encoding.h"
#include "libs/base/random_id.h"
#include "libs/pki/digest.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/apps/plain_text.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/rules/platform_evidence.h"
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

// The user of the session, who has no factor or has just shown it.
absl::StatusOr<StoredUser> CheckOwner(db::Transaction& txn, const v1::SessionInfo& session,
                                      WallTime now) {
  DT_ASSIGN_OR_RETURN(StoredUser found,
                      CheckSession(txn, session.session_id(), session.user_id(),
                                   rpc::FromTimestamp(session.authenticated_at())));
  if (!found.user.factors().empty()) DT_RETURN_IF_ERROR(CheckFresh(session, now));
  return found;
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

}  // namespace

absl::StatusOr<v1::BeginTotpEnrollmentResponse> FactorEnrollment::Begin(
    const v1::BeginTotpEnrollmentRequest& request) {
  const v1::SessionInfo& session = request.session();
  const WallTime now = parts_.clock.Now();
  DT_RETURN_IF_ERROR(CheckSessionAge(session, now));
  DT_ASSIGN_OR_RETURN(Bytes secret, parts_.factors.NewSecret());
  DT_ASSIGN_OR_RETURN(SealedFactor sealed, parts_.factors.Seal(session.user_id(), secret));
  DT_ASSIGN_OR_RETURN(const std::string id, NewRandomId(parts_.random));
  const WallTime expires_at = now + kPendingFactorFor;
  const auto begin = [&](db::Transaction& txn) -> absl::StatusOr<StoredUser> {
    DT_ASSIGN_OR_RETURN(StoredUser found, CheckOwner(txn, session, now));
    DT_RETURN_IF_ERROR(StorePendingFactor(
        txn, {found.user.id(), id, session.session_id(), sealed.sealed, expires_at}));
    return found;
  };
  DT_ASSIGN_OR_RETURN(const StoredUser found, parts_.database.Write(begin));
  const auto org = parts_.store.state();
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
  DT_RETURN_IF_ERROR(CheckSessionAge(session, now));
  DT_ASSIGN_OR_RETURN(const NewRecoveryCodes codes, MakeRecoveryCodes(parts_.random));
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const std::string address = request.client().address().substr(0, kEnrollerAddressBytesMax);

  // A wrong code is no error of the transaction, which counts it and must commit.
  const auto confirm = [&](db::Transaction& txn) -> absl::StatusOr<bool> {
    DT_ASSIGN_OR_RETURN(const StoredUser found, CheckOwner(txn, session, now));
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
    told.mutable_client()->set_address(ToPlainText(address, kEnrollerAddressBytesMax));
    told.mutable_client()->set_user_agent(
        ToPlainText(request.client().user_agent(), kUserAgentBytesRead));
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
  if (!by_admin) DT_RETURN_IF_ERROR(CheckSessionAge(request.session(), now));
  DT_ASSIGN_OR_RETURN(const NewRecoveryCodes codes, MakeRecoveryCodes(parts_.random));
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto make = [&](db::Transaction& txn) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const StoredUser found, by_admin ? FindUserById(txn, request.user_id())
                                                         : CheckOwner(txn, request.session(), now));
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
