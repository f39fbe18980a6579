#include "policy-engine/decisions/factor_completion.h"

#include <string>
#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/decisions/sign_on_result.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kOpenAgain = "Open the app again.";

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

absl::Status StatusOf(FactorVerdict verdict, const v1::User& user) {
  switch (verdict) {
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
                            "too many wrong codes", {}, "Wait some minutes and open the app again.",
                            kFactorWindow);
  }
  return absl::InternalError("no such verdict on a factor");
}

v1::Event FactorEvent(const v1::Decision& decision, const v1::User& user, bool accepted,
                      WallTime now) {
  return EventBuilder("user.authentication.verify", "Verification of a second factor", now)
      .ActorUser(user.id(), user.principal())
      .Client(decision.client())
      .Target("AppInstance", decision.app_id(), decision.app_label())
      .Outcome(accepted ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
               accepted ? reason::v1::REASON_UNSPECIFIED : reason::v1::REASON_FACTOR_WRONG)
      .Debug("code", decision.code())
      .Take();
}

}  // namespace

// What a code came to, with the decision and its user as they were before it.
struct FactorCompletion::Tried {
  FactorVerdict verdict = FactorVerdict::kWrong;
  v1::Decision decision;
  v1::User user;
};

absl::StatusOr<FactorCompletion::Tried> FactorCompletion::Try(
    db::Transaction& txn, const v1::CompleteFactorRequest& request, WallTime now,
    v1::Event event) const {
  DT_ASSIGN_OR_RETURN(StoredDecision stored, FindDecision(txn, request.code()));
  DT_RETURN_IF_ERROR(CheckOpen(stored, request, now));
  DT_ASSIGN_OR_RETURN(StoredUser found,
                      CheckSession(txn, stored.session_id, stored.record.user().id(),
                                   rpc::FromTimestamp(stored.record.authenticated_at())));
  Tried tried{FactorVerdict::kThrottled, std::move(stored.record), std::move(found.user)};
  if (stored.factor_failures >= kFactorFailuresMax) return tried;
  DT_ASSIGN_OR_RETURN(tried.verdict,
                      parts_.factors.Verify(txn, tried.user.id(), request.totp_code(), now));
  const bool accepted = tried.verdict == FactorVerdict::kAccepted;
  const bool wrong =
      tried.verdict == FactorVerdict::kWrong || tried.verdict == FactorVerdict::kReused;
  const std::string& code = tried.decision.code();
  if (accepted) DT_RETURN_IF_ERROR(CompleteDecision(txn, code, now));
  if (wrong) DT_RETURN_IF_ERROR(CountFactorFailure(txn, code));
  if (!accepted && !wrong) return tried;

  event.MergeFrom(FactorEvent(tried.decision, tried.user, accepted, now));
  DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
  return tried;
}

absl::StatusOr<v1::CompleteFactorResponse> FactorCompletion::Complete(
    const v1::CompleteFactorRequest& request) {
  if (!request.has_totp_code()) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "no factor is shown", "factor");
  }
  const WallTime now = parts_.clock.Now();
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto attempt = [&](db::Transaction& txn) { return Try(txn, request, now, event); };
  DT_ASSIGN_OR_RETURN(Tried tried, parts_.database.Write(attempt));
  DT_RETURN_IF_ERROR(StatusOf(tried.verdict, tried.user));

  tried.decision.set_outcome(v1::OUTCOME_ALLOWED);
  v1::CompleteFactorResponse response;
  *response.mutable_result() = ResultOf(tried.decision, tried.user);
  *response.mutable_factor_at() = rpc::ToTimestamp(now);
  return response;
}

}  // namespace devicetrust::policy
