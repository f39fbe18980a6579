#include "policy-engine/decisions/factor_completion.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libs/base/client_network.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/decisions/sign_on_result.h"
#include "policy-engine/log/plain_text.h"
#include "policy-engine/rules/platform_evidence.h"
#include "policy-engine/users/recovery_codes.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kOpenAgain = "Open the app again.";
constexpr std::size_t kFactorAddressBytesMax = 64;
constexpr std::chrono::seconds kAnotherTryAfter{1};  // Another decision has attempts of its own.

// The decision takes a factor now, from this session.
absl::Status CheckOpen(const StoredDecision& decision, const v1::CompleteFactorRequest& request,
                       WallTime now) {
  const WallTime decided_at = rpc::FromTimestamp(decision.record.at());
  if (decision.session_id != request.session_id() || now - decided_at >= kFactorWindow) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_DECISION_UNKNOWN,
                          "no open decision of this code in this session", request.code(),
                          std::string(kOpenAgain));
  }
  const bool asks = decision.record.outcome() == v1::OUTCOME_FACTOR_REQUIRED;
  if (asks && !decision.factor_completed_at) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        "the decision asks for no factor, or had it", request.code(),
                        std::string(kOpenAgain));
}

// The decision has had its factor just now, from this session.
bool MayBeSecondClick(const StoredDecision& decision, const v1::CompleteFactorRequest& request,
                      WallTime now) {
  return decision.factor_completed_at && decision.session_id == request.session_id() &&
         now - *decision.factor_completed_at < kSameAnswerFor &&
         decision.factor_failures < kFactorFailuresMax;
}

// The decision has had its wrong codes: its form is of no more use.
absl::Status AttemptsSpent(std::chrono::seconds retry_after) {
  return rpc::MakeError(absl::StatusCode::kResourceExhausted,
                        reason::v1::REASON_FACTOR_ATTEMPTS_SPENT, "too many wrong codes", {},
                        "Wait, then open the app again.", retry_after);
}

// From where the code came, which need not be where the decision was asked for.
v1::ClientInfo ClientOf(const v1::CompleteFactorRequest& request) {
  v1::ClientInfo client;
  client.set_address(ToPlainText(request.client().address(), kFactorAddressBytesMax));
  client.set_user_agent(ToPlainText(request.client().user_agent(), kUserAgentBytesRead));
  return client;
}

v1::Event LockEvent(const v1::CompleteFactorRequest& request, const v1::User& user, WallTime now) {
  return EventBuilder("user.mfa.factor.lock", "Second factor locked: too many wrong codes", now)
      .ActorUser(user.id(), user.principal())
      .Client(ClientOf(request))
      .Target("User", user.id(), user.principal())
      .Outcome(v1::EventOutcome::RESULT_FAILURE, reason::v1::REASON_FACTOR_LOCKED)
      .Take();
}

v1::Event FactorEvent(const v1::CompleteFactorRequest& request, const v1::Decision& decision,
                      const v1::User& user, const FactorAnswer& answer, WallTime now) {
  const bool accepted = answer.verdict == FactorVerdict::kAccepted;
  const std::optional<std::int32_t>& left = answer.recovery_codes_left;
  return EventBuilder("user.authentication.verify", "Verification of a second factor", now)
      .ActorUser(user.id(), user.principal())
      .Client(ClientOf(request))
      .Target("AppInstance", decision.app_id(), decision.app_label())
      .Outcome(accepted ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
               accepted ? reason::v1::REASON_UNSPECIFIED : reason::v1::REASON_FACTOR_WRONG)
      .Debug("code", decision.code())
      .Debug("factor", request.has_recovery_code() ? "recovery code" : "")
      .Debug("recovery_codes_left", left ? std::to_string(*left) : "")
      .Take();
}

}  // namespace

absl::Status StatusOfFactor(const FactorAnswer& answer, const v1::User& user) {
  switch (answer.verdict) {
    case FactorVerdict::kAccepted:
      return absl::OkStatus();
    case FactorVerdict::kWrong:
      return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_WRONG,
                            "the code is wrong", {}, "Type the code that the app shows now.");
    case FactorVerdict::kReused:
      return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_REUSED,
                            "the code was used already", {}, "Wait for the next code.");
    case FactorVerdict::kNotEnrolled:
      return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                            reason::v1::REASON_FACTOR_NOT_ENROLLED, "the user has no second factor",
                            user.principal(), "Ask an administrator to enroll one.");
    case FactorVerdict::kThrottled:
      return rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_THROTTLED,
                            "too many wrong codes", {}, "Wait, then type the current code.",
                            answer.retry_after);
    case FactorVerdict::kLocked:
      return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_FACTOR_LOCKED,
                            "too many wrong codes in a row: the second factor is locked",
                            user.principal(),
                            "Use a recovery code, or ask an administrator for a new one: dtctl "
                            "factor enroll.");
  }
  return absl::InternalError("no such verdict on a factor");
}

// What a code came to, with the decision and its user as they were before it.
struct FactorCompletion::Tried {
  absl::Status status;  // OK: accepted.
  v1::Decision decision;
  v1::User user;
  WallTime taken_at;  // When the code was accepted: now, or by the first click.
  std::optional<std::int32_t> recovery_codes_left = {};
};

// Made before the transaction, so that a retry of it writes the same. Of each the id is set.
struct FactorCompletion::Events {
  v1::Event verified;
  v1::Event locked;
};

absl::StatusOr<FactorCompletion::Tried> FactorCompletion::Try(
    db::Transaction& txn, const v1::CompleteFactorRequest& request, WallTime now,
    Events events) const {
  DT_ASSIGN_OR_RETURN(StoredDecision stored, FindDecision(txn, request.code()));
  const bool recovery = request.has_recovery_code();
  const FactorAttempt attempt{
      stored.record.user().id(), recovery ? request.recovery_code() : request.totp_code(),
      ClientNetwork(request.client().address().substr(0, kFactorAddressBytesMax)), recovery};
  bool again = false;
  if (MayBeSecondClick(stored, request, now)) {
    DT_ASSIGN_OR_RETURN(again, parts_.factors.TookLast(txn, attempt, *stored.factor_completed_at));
    // Else this would be a place to guess at codes.
    if (!again) DT_RETURN_IF_ERROR(CountFactorFailure(txn, stored.record.code()));
  }
  Tried tried{again ? absl::OkStatus() : CheckOpen(stored, request, now), {}, {}, now};
  if (!tried.status.ok()) return tried;
  const SessionClaim claim{stored.session_id, stored.record.user().id(),
                           rpc::FromTimestamp(stored.record.authenticated_at())};
  DT_ASSIGN_OR_RETURN(
      OpenSession open,
      CheckSession(txn, claim, SessionLimitsOf(parts_.store.state()->settings), now));
  tried.decision = std::move(stored.record);
  tried.user = std::move(open.user.user);
  if (again) {
    tried.taken_at = *stored.factor_completed_at;
    if (recovery) {
      DT_ASSIGN_OR_RETURN(tried.recovery_codes_left, CountRecoveryCodes(txn, tried.user.id()));
    }
    return tried;
  }
  if (stored.factor_failures >= kFactorFailuresMax) {
    tried.status = AttemptsSpent(kAnotherTryAfter);
    return tried;
  }
  DT_ASSIGN_OR_RETURN(const FactorAnswer answer, parts_.factors.Verify(txn, attempt, now));
  tried.status = StatusOfFactor(answer, tried.user);
  tried.recovery_codes_left = answer.recovery_codes_left;
  const bool accepted = answer.verdict == FactorVerdict::kAccepted;
  const bool wrong =
      answer.verdict == FactorVerdict::kWrong || answer.verdict == FactorVerdict::kReused;
  const std::string& code = tried.decision.code();
  if (accepted) {
    DT_RETURN_IF_ERROR(CompleteDecision(txn, code, now));
    DT_RETURN_IF_ERROR(NoteOpenedApp(txn, stored.session_id, tried.decision.app_id(), now));
  }
  if (wrong) {
    DT_RETURN_IF_ERROR(CountFactorFailure(txn, code));
    if (stored.factor_failures + 1 >= kFactorFailuresMax) {
      tried.status = AttemptsSpent(std::max(answer.retry_after, kAnotherTryAfter));
    }
  }
  if (!accepted && !wrong) return tried;

  events.verified.MergeFrom(FactorEvent(request, tried.decision, tried.user, answer, now));
  DT_RETURN_IF_ERROR(parts_.events.Append(txn, events.verified));
  if (answer.locks) {
    events.locked.MergeFrom(LockEvent(request, tried.user, now));
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, events.locked));
  }
  return tried;
}

absl::StatusOr<v1::CompleteFactorResponse> FactorCompletion::Complete(
    const v1::CompleteFactorRequest& request) {
  if (!request.has_totp_code() && !request.has_recovery_code()) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "no factor is shown", "factor");
  }
  const WallTime now = parts_.clock.Now();
  Events events;
  DT_RETURN_IF_ERROR(parts_.events.Identify(events.verified));
  DT_RETURN_IF_ERROR(parts_.events.Identify(events.locked));
  const auto attempt = [&](db::Transaction& txn) { return Try(txn, request, now, events); };
  DT_ASSIGN_OR_RETURN(Tried tried, parts_.database.Write(attempt));
  DT_RETURN_IF_ERROR(tried.status);

  tried.decision.set_outcome(v1::OUTCOME_ALLOWED);
  v1::CompleteFactorResponse response;
  *response.mutable_result() = ResultOf(tried.decision, tried.user);
  *response.mutable_factor_at() = rpc::ToTimestamp(tried.taken_at);
  if (tried.recovery_codes_left) response.set_recovery_codes_left(*tried.recovery_codes_left);
  return response;
}

}  // namespace devicetrust::policy
