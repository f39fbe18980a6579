#include "policy-engine/decisions/sign_on.h"

#include <string>
#include <utility>

#include "libs/base/log_sparsely.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "policy-engine/decisions/session_check.h"
#include "policy-engine/decisions/sign_on_record.h"
#include "policy-engine/decisions/sign_on_result.h"
#include "policy-engine/metrics.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kIdBytesMax = 256;

absl::Status ValidateRequest(const v1::EvaluateRequest& request) {
  const v1::SessionInfo& session = request.session();
  for (const std::string* id : {&request.app_id(), &session.session_id(), &session.user_id()}) {
    if (!id->empty() && id->size() <= kIdBytesMax) continue;
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "app, session and user ids must be 1 to 256 bytes");
  }
  return absl::OkStatus();
}

void CountReported(const v1::Decision& decision) {
  for (const v1::ReportedRule& rule : decision.reported()) {
    const bool same = rule.outcome() == decision.outcome();
    kReportOnly.With({rpc::EnumName(rule.outcome()), same ? "same" : "other"}).Add();
  }
}

// The store found that the session opens nothing. Such a decision has changed nothing.
bool IsRefusal(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsNotFound(status);
}

}  // namespace

struct SignOn::Decided {
  v1::Decision decision;
  v1::User user;
};

v1::SignOnResult SignOn::AnswerOf(const SignOnInput& input, const Decided& decided) {
  const v1::Decision& decision = decided.decision;
  v1::SignOnResult result = ResultOf(decision, decided.user);
  if (result.factor_reason() == reason::v1::REASON_FACTOR_NOT_ENROLLED) {
    result.set_may_enroll_factor(input.state->settings.factor_self_enrollment());
  }
  const bool untrusted = decision.trust() == v1::TRUST_STATE_NOT_TRUSTED;
  if (decision.outcome() == v1::OUTCOME_DENIED && untrusted && input.app->policy->uses_trust()) {
    result.set_show_security_message(true);
    result.set_learn_more_url(input.state->settings.learn_more_url());
  }
  return result;
}

absl::StatusOr<SignOnInput> SignOn::Prepare(const v1::EvaluateRequest& request) const {
  DT_RETURN_IF_ERROR(ValidateRequest(request));
  SignOnInput input{request, parts_.store.state(), nullptr, {}, parts_.clock.Now()};
  input.app = input.state->FindApp(request.app_id());
  if (input.app == nullptr) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          "the org has no such app", request.app_id());
  }
  DT_RETURN_IF_ERROR(
      CheckSessionAge(request.session(), SessionLimitsOf(input.state->settings), input.now));
  input.proof = CheckProof(request, parts_.proof_keys, input.state->settings.org_id(), input.now);
  return input;
}

absl::Status SignOn::CheckAccount(const v1::EvaluateRequest& request, WallTime now) const {
  const std::string& user_id = request.session().user_id();
  if (!parts_.accounts.IsDue(user_id, now)) return absl::OkStatus();
  const auto find = [&user_id](db::Transaction& txn) { return FindUserById(txn, user_id); };
  DT_ASSIGN_OR_RETURN(const StoredUser found, parts_.database.Read(find));
  if (!found.user.from_ad()) return absl::OkStatus();
  return parts_.accounts.Check(user_id, found.user.sid(), now);
}

// For good: it stays over when the account is good again.
absl::Status SignOn::EndSession(const v1::EvaluateRequest& request, const absl::Status& why) {
  const std::string& session_id = request.session().session_id();
  const WallTime now = parts_.clock.Now();
  v1::Event event =
      EventBuilder("user.session.end", "Session ended: the account is no longer good", now)
          .ActorUser(request.session().user_id(), {})
          .Outcome(v1::EventOutcome::RESULT_FAILURE, rpc::ReasonOf(why))
          .Debug("session_id", session_id)
          .Take();
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  return parts_.database.Write([&](db::Transaction& txn) -> absl::Status {
    DT_ASSIGN_OR_RETURN(const bool over, SessionChanges::HasEnded(txn, session_id));
    if (over) return absl::OkStatus();
    DT_RETURN_IF_ERROR(SessionChanges::AppendEnded(txn, session_id, now));
    return parts_.events.Append(txn, event);
  });
}

bool SignOn::AsksDirectory(const v1::EvaluateRequest& request) const {
  return parts_.accounts.IsDue(request.session().user_id(), parts_.clock.Now());
}

absl::StatusOr<ReadySignOn> SignOn::MakeReady(const v1::EvaluateRequest& request) {
  DT_ASSIGN_OR_RETURN(SignOnInput input, Prepare(request));
  if (!input.proof.detail.empty()) {
    LogSparsely(LogLevel::kWarning, "decision.proof.refused", request.session().user_id(),
                {{"app", request.app_id()}, {"why", input.proof.detail}});
  }
  DT_ASSIGN_OR_RETURN(RecordIds ids, RecordIds::New(input.now, parts_.random));
  return ReadySignOn{std::move(input), std::move(ids), CurrentTraceId()};
}

SignOn::Response SignOn::Evaluate(const v1::EvaluateRequest& request) {
  DT_ASSIGN_OR_RETURN(const ReadySignOn ready, MakeReady(request));
  if (const absl::Status account = CheckAccount(request, ready.input.now); !account.ok()) {
    if (absl::IsUnauthenticated(account)) DT_RETURN_IF_ERROR(EndSession(request, account));
    return account;
  }
  return DecideAlone(ready);
}

absl::StatusOr<SignOn::Decided> SignOn::DecideOne(db::Transaction& txn, const ReadySignOn& ready,
                                                  std::vector<v1::Event>& events) {
  const TraceScope trace(ready.trace);
  DT_ASSIGN_OR_RETURN(SignOnFacts facts, GatherFacts(txn, ready.input));
  v1::Decision decision = std::move(facts.known);
  {
    const metrics::Stopwatch stopwatch(kEvaluationSeconds.With());
    Decide(*ready.input.app->policy, decision);
  }
  DT_RETURN_IF_ERROR(RecordSignOn(txn, ready.input, ready.ids, facts, decision, events));
  return Decided{std::move(decision), std::move(facts.user)};
}

SignOn::Response SignOn::DecideAlone(const ReadySignOn& ready) {
  const std::span<const ReadySignOn> one(&ready, 1);
  return std::move(DecideAll([one] { return one; }).front());
}

std::vector<SignOn::Response> SignOn::DecideAll(const Take& take) {
  using Results = std::vector<absl::StatusOr<Decided>>;
  const auto decide = [&](db::Transaction& txn) -> absl::StatusOr<Results> {
    const std::span<const ReadySignOn> all = take();
    Results results;
    results.reserve(all.size());
    std::vector<v1::Event> events;
    events.reserve(2 * all.size());
    // What a failed one has changed must be undone, and is only with all the rest.
    const auto failure = [&all](const absl::Status& status) {
      return all.size() == 1 ? status : absl::CancelledError("each must be decided alone");
    };
    for (const ReadySignOn& ready : all) {
      results.push_back(DecideOne(txn, ready, events));
      const absl::Status& status = results.back().status();
      if (!status.ok() && !IsRefusal(status)) return failure(status);
    }
    const absl::Status appended = parts_.events.AppendAll(txn, events);
    if (!appended.ok()) return failure(appended);
    return results;
  };
  const absl::StatusOr<Results> decided = parts_.database.Write(decide);
  const std::span<const ReadySignOn> all = take();
  std::vector<Response> responses;
  responses.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (absl::IsCancelled(decided.status()) && all.size() > 1) {
      responses.push_back(DecideAlone(all[i]));
    } else if (!decided.ok()) {
      responses.push_back(decided.status());
    } else if (const absl::StatusOr<Decided>& one = (*decided)[i]; !one.ok()) {
      responses.push_back(one.status());
    } else {
      CountReported(one->decision);
      v1::EvaluateResponse response;
      *response.mutable_result() = AnswerOf(all[i].input, *one);
      responses.push_back(std::move(response));
    }
  }
  return responses;
}

absl::StatusOr<v1::SignOnResult> SignOn::Preview(const v1::EvaluateRequest& request) const {
  DT_ASSIGN_OR_RETURN(const SignOnInput input, Prepare(request));
  DT_RETURN_IF_ERROR(CheckAccount(request, input.now));
  const auto gather = [&input](db::Transaction& txn) { return GatherFacts(txn, input); };
  DT_ASSIGN_OR_RETURN(SignOnFacts facts, parts_.database.Read(gather));
  Decide(*input.app->policy, facts.known);
  return AnswerOf(input, {std::move(facts.known), std::move(facts.user)});
}

}  // namespace devicetrust::policy
