#include "policy-engine/decisions/sign_on.h"
#include "policy-engine/metrics.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "libs/base/log.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/apps/plain_text.h"
#include "policy-engine/rules/explanation.h"
#include "policy-engine/rules/user_agent.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "policy-engine/sessions/session_changes.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::chrono::seconds kClockSkewOfGateways{30};
constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kAddressBytesMax = 64;

absl::Status SessionError(reason::v1::Reason reason, std::string message) {
  return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason, std::move(message), {},
                        "Sign in again.");
}

absl::Status ValidateRequest(const v1::EvaluateRequest& request) {
  const v1::SessionInfo& session = request.session();
  for (const std::string* id : {&request.app_id(), &session.session_id(), &session.user_id()}) {
    if (!id->empty() && id->size() <= kIdBytesMax) continue;
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "app, session and user ids must be 1 to 256 bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckSessionAge(const v1::SessionInfo& session, WallTime now) {
  const WallTime begun = rpc::FromTimestamp(session.authenticated_at());
  const bool fresh = begun <= now + kClockSkewOfGateways && now - begun < kSessionLifetime;
  if (fresh) return absl::OkStatus();
  return SessionError(reason::v1::REASON_SESSION_EXPIRED, "the session is older than 12 hours");
}

// The session has not been ended, nor its user deactivated since.
absl::StatusOr<Person> CheckSession(db::Transaction& txn, const std::string& session_id,
                                    const std::string& user_id, WallTime begun) {
  DT_ASSIGN_OR_RETURN(const bool ended, SessionChanges::HasEnded(txn, session_id));
  if (ended) return SessionError(reason::v1::REASON_SESSION_ENDED, "the session was ended");
  DT_ASSIGN_OR_RETURN(Person person, FindPersonById(txn, user_id));
  if (person.user.status() != v1::USER_STATUS_ACTIVE || begun < person.sessions_from) {
    return SessionError(reason::v1::REASON_SESSION_ENDED, "the user was deactivated");
  }
  return person;
}

// The columns of a user that a decision needs later.
v1::User KeptUser(const v1::User& user) {
  v1::User kept;
  kept.set_id(user.id());
  kept.set_principal(user.principal());
  kept.set_display_name(user.display_name());
  *kept.mutable_groups() = user.groups();
  return kept;
}

std::string PlatformName(const v1::Decision& decision) {
  const Platform verified = PlatformFromMessage(decision.verified_platform());
  return std::string(Name(verified != Platform::kUnknown
                              ? verified
                              : PlatformFromMessage(decision.claimed_platform())));
}

EventResult ResultOf(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_ALLOWED:
      return v1::EventOutcome::RESULT_ALLOW;
    case v1::OUTCOME_DENIED:
      return v1::EventOutcome::RESULT_DENY;
    default:
      return v1::EventOutcome::RESULT_CHALLENGE;
  }
}

v1::SignOnResult ResultFor(const v1::Decision& decision, const v1::User& user) {
  v1::SignOnResult response;
  response.set_outcome(decision.outcome());
  response.set_code(decision.code());
  response.set_rule_name(decision.rule_name());
  response.set_rule_index(decision.rule_index());
  response.set_trust(decision.trust());
  response.set_reason(decision.trust_reason());
  if (decision.trust_reason() == reason::v1::REASON_UNSPECIFIED &&
      decision.outcome() == v1::OUTCOME_DENIED) {
    response.set_reason(reason::v1::REASON_DENIED_BY_RULE);
  }
  if (!decision.device_id().empty()) {
    response.set_certificate_serial(decision.certificate_serial());
  }
  *response.mutable_user() = user;
  return response;
}

}  // namespace

struct SignOn::Device {
  Trust trust = Trust::kNotTrusted;
  reason::v1::Reason reason = reason::v1::REASON_UNSPECIFIED;  // Why not trusted.
  std::optional<Platform> platform;                            // As the directory records it.
};

struct SignOn::Attempt {
  std::shared_ptr<const OrgState> state;
  const AppState* app = nullptr;  // Inside `state`.
  ProofVerdict proof;
  WallTime now;
  std::vector<std::string> codes;
  v1::Event device_event;  // With their ids, the rest is filled in Decide().
  v1::Event sign_on_event;

  Person person;
  StoredDecision stored;
};

absl::StatusOr<SignOn::Device> SignOn::JudgeDevice(db::Transaction& txn, const Attempt& attempt,
                                                   const std::string& user_id) const {
  const ProofVerdict& proof = attempt.proof;
  Device device;
  // Where no rule asks, gateways make no challenge, and its absence says nothing.
  const bool asked = attempt.app->policy->uses_trust() || proof.valid;
  if (!attempt.state->DeviceTrustEffective() || !asked) {
    device.trust = Trust::kNotEvaluated;
    return device;
  }
  device.reason = proof.reason;
  if (!proof.valid) return device;
  DT_ASSIGN_OR_RETURN(const bool fresh, ConsumeProof(txn, proof.id, proof.expires_at));
  if (!fresh) {
    device.reason = reason::v1::REASON_PROOF_REPLAYED;
    return device;
  }
  if (!proof.trusted) return device;

  DT_ASSIGN_OR_RETURN(const auto enrollment, FindEnrollment(txn, proof.enrollment_id));
  if (!enrollment || enrollment->device_id != proof.device_id) {
    device.reason = reason::v1::REASON_CERTIFICATE_UNKNOWN;
    return device;
  }
  device.platform = enrollment->platform;
  if (enrollment->user_id != user_id) {
    device.reason = reason::v1::REASON_CERTIFICATE_OF_ANOTHER_USER;
    return device;
  }
  device.trust = Trust::kTrusted;
  return device;
}

absl::Status SignOn::Decide(db::Transaction& txn, const v1::EvaluateRequest& request,
                            Attempt& attempt) const {
  const v1::SessionInfo& session = request.session();
  const WallTime begun = rpc::FromTimestamp(session.authenticated_at());
  DT_ASSIGN_OR_RETURN(attempt.person,
                      CheckSession(txn, session.session_id(), session.user_id(), begun));
  const v1::User& user = attempt.person.user;
  DT_ASSIGN_OR_RETURN(const Device device, JudgeDevice(txn, attempt, user.id()));

  const std::vector<std::string> groups(user.groups().begin(), user.groups().end());
  Facts facts;
  facts.user_id = user.id();
  facts.groups = groups;
  facts.address = IpAddress::Parse(request.client().address());
  facts.client = ClientFromMessage(request.client_kind());
  facts.claimed_platform = PlatformFromUserAgent(request.client().user_agent());
  facts.verified_platform = device.platform;
  facts.trust = device.trust;
  facts.now = attempt.now;
  facts.authenticated_at = begun;
  if (session.has_factor_at()) facts.factor_at = rpc::FromTimestamp(session.factor_at());
  const Decision decided = [&] {
    const metrics::Stopwatch stopwatch(kEvaluationSeconds.With());
    return attempt.app->policy->Evaluate(facts);
  }();

  attempt.stored = StoredDecision();
  attempt.stored.session_id = session.session_id();
  attempt.stored.app_revision = attempt.app->revision;
  attempt.stored.zones_revision = attempt.state->zones_revision;
  v1::Decision& record = attempt.stored.record;
  *record.mutable_at() = rpc::ToTimestamp(attempt.now);
  record.set_app_id(attempt.app->app.id());
  record.set_app_label(attempt.app->app.label());
  *record.mutable_user() = KeptUser(user);
  record.mutable_client()->set_address(ToPlainText(request.client().address(), kAddressBytesMax));
  record.mutable_client()->set_user_agent(
      ToPlainText(request.client().user_agent(), kUserAgentBytesRead));
  record.set_client_kind(ToMessage(facts.client));
  record.set_claimed_platform(ToMessage(facts.claimed_platform));
  if (facts.verified_platform) record.set_verified_platform(ToMessage(*facts.verified_platform));
  *record.mutable_authenticated_at() = session.authenticated_at();
  if (session.has_factor_at()) *record.mutable_factor_at() = session.factor_at();
  record.set_trust(ToMessage(facts.trust));
  record.set_trust_reason(device.reason);
  record.set_certificate_serial(attempt.proof.serial);
  record.set_device_id(attempt.proof.device_id);
  record.set_outcome(ToMessage(decided.outcome));
  record.set_rule_name(attempt.app->policy->rule(decided.rule).name);
  record.set_rule_index(static_cast<std::int32_t>(decided.rule + 1));
  DT_RETURN_IF_ERROR(InsertDecision(txn, attempt.codes, attempt.stored).status());
  return AppendEvents(txn, attempt);
}

absl::Status SignOn::AppendEvents(db::Transaction& txn, const Attempt& attempt) const {
  const v1::Decision& record = attempt.stored.record;
  const std::string reason = rpc::ReasonName(record.trust_reason());
  const bool evaluated = record.trust() != v1::TRUST_STATE_UNSPECIFIED;
  if (evaluated && attempt.proof.valid && !attempt.proof.serial.empty()) {
    const bool trusted = record.trust() == v1::TRUST_STATE_TRUSTED;
    v1::Event event =
        EventBuilder("user.authentication.authenticate",
                     "Authentication of device through a certificate", attempt.now)
            .ActorUser(record.user().id(), record.user().principal())
            .Client(record.client(), PlatformName(record))
            .Target("Certificate", record.certificate_serial())
            .Outcome(trusted ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
                     trusted ? std::string() : reason)
            .Debug("device_id", record.device_id())
            .Debug("serial", record.certificate_serial())
            .Debug("code", record.code())
            .Take();
    event.set_id(attempt.device_event.id());
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
  }
  const bool denied = record.outcome() == v1::OUTCOME_DENIED;
  v1::Event event =
      EventBuilder("policy.evaluate_sign_on", "Evaluation of a sign-on policy", attempt.now)
          .ActorUser(record.user().id(), record.user().principal())
          .Client(record.client(), PlatformName(record))
          .Target("AppInstance", record.app_id(), record.app_label())
          .Target("Rule", fmt::format("{}", record.rule_index()), record.rule_name())
          .Outcome(ResultOf(record.outcome()),
                   denied ? rpc::ReasonName(reason::v1::REASON_DENIED_BY_RULE) : std::string())
          .Debug("code", record.code())
          .Debug("trust", std::string(Name(TrustFromMessage(record.trust()))))
          .Debug("trust_reason",
                 evaluated && record.trust() != v1::TRUST_STATE_TRUSTED ? reason : "")
          .Debug("device_id", record.device_id())
          .Debug("serial", record.certificate_serial())
          .Take();
  event.set_id(attempt.sign_on_event.id());
  return parts_.events.Append(txn, event);
}

absl::StatusOr<v1::EvaluateResponse> SignOn::Evaluate(const v1::EvaluateRequest& request) {
  DT_RETURN_IF_ERROR(ValidateRequest(request));
  Attempt attempt;
  attempt.now = parts_.clock.Now();
  attempt.state = parts_.store.state();
  attempt.app = attempt.state->FindApp(request.app_id());
  if (attempt.app == nullptr) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_APP_UNKNOWN,
                          "the org has no such app", request.app_id());
  }
  DT_RETURN_IF_ERROR(CheckSessionAge(request.session(), attempt.now));
  attempt.proof =
      CheckProof(request, parts_.proof_keys, attempt.state->settings.org_id(), attempt.now);
  if (!attempt.proof.detail.empty()) {
    Log(LogLevel::kWarning, "policy.proof_refused",
        {{"app", request.app_id()}, {"why", attempt.proof.detail}});
  }
  for (int i = 0; i < 3; ++i) {
    DT_ASSIGN_OR_RETURN(std::string code, NewDecisionCode(parts_.random));
    attempt.codes.push_back(std::move(code));
  }
  DT_RETURN_IF_ERROR(parts_.events.Identify(attempt.device_event));
  DT_RETURN_IF_ERROR(parts_.events.Identify(attempt.sign_on_event));
  DT_RETURN_IF_ERROR(
      parts_.database.Write([&](db::Transaction& txn) { return Decide(txn, request, attempt); }));

  const v1::Decision& record = attempt.stored.record;
  v1::EvaluateResponse response;
  v1::SignOnResult& result = *response.mutable_result();
  result = ResultFor(record, attempt.person.user);
  const bool untrusted = record.trust() == v1::TRUST_STATE_NOT_TRUSTED;
  if (record.outcome() == v1::OUTCOME_DENIED && untrusted && attempt.app->policy->uses_trust()) {
    result.set_show_security_message(true);
    result.set_learn_more_url(attempt.state->settings.learn_more_url());
  }
  return response;
}

struct SignOn::Completion {
  FactorVerdict verdict = FactorVerdict::kWrong;
  v1::Decision record;
  v1::User user;
  v1::Event event;  // With its id.
};

absl::Status SignOn::TryFactor(db::Transaction& txn, const v1::CompleteFactorRequest& request,
                               WallTime now, Completion& completion) const {
  DT_ASSIGN_OR_RETURN(StoredDecision decision, FindDecision(txn, request.code()));
  const WallTime decided_at = rpc::FromTimestamp(decision.record.at());
  if (decision.session_id != request.session_id() || now - decided_at >= kFactorWindow) {
    return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_DECISION_UNKNOWN,
                          "no open decision of this code in this session", request.code(),
                          "Open the app again.");
  }
  if (decision.record.outcome() != v1::OUTCOME_FACTOR_REQUIRED || decision.factor_completed_at) {
    return rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
        "the decision asks for no factor, or had it", request.code(), "Open the app again.");
  }
  DT_ASSIGN_OR_RETURN(const Person person, CheckSession(txn, decision.session_id,
                                                        decision.record.user().id(), decided_at));
  if (decision.factor_failures >= kFactorFailuresMax) {
    completion.verdict = FactorVerdict::kThrottled;
    return absl::OkStatus();
  }
  DT_ASSIGN_OR_RETURN(completion.verdict,
                      parts_.check_factor(txn, person.user.id(), request.totp_code(), now));
  completion.record = std::move(decision.record);
  completion.user = person.user;
  const bool accepted = completion.verdict == FactorVerdict::kAccepted;
  const bool wrong =
      completion.verdict == FactorVerdict::kWrong || completion.verdict == FactorVerdict::kReused;
  const std::string& code = completion.record.code();
  if (accepted) DT_RETURN_IF_ERROR(CompleteDecision(txn, code, now));
  if (wrong) DT_RETURN_IF_ERROR(CountFactorFailure(txn, code));
  if (!accepted && !wrong) return absl::OkStatus();

  v1::Event event =
      EventBuilder("user.authentication.verify", "Verification of a second factor", now)
          .ActorUser(completion.user.id(), completion.user.principal())
          .Client(completion.record.client())
          .Target("AppInstance", completion.record.app_id(), completion.record.app_label())
          .Outcome(accepted ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
                   accepted ? "" : rpc::ReasonName(reason::v1::REASON_FACTOR_WRONG))
          .Debug("code", code)
          .Take();
  event.set_id(completion.event.id());
  return parts_.events.Append(txn, event);
}

absl::StatusOr<v1::CompleteFactorResponse> SignOn::CompleteFactor(
    const v1::CompleteFactorRequest& request) {
  if (!request.has_totp_code()) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "no factor is shown", "factor");
  }
  Completion completion;
  const WallTime now = parts_.clock.Now();
  DT_RETURN_IF_ERROR(parts_.events.Identify(completion.event));
  DT_RETURN_IF_ERROR(parts_.database.Write(
      [&](db::Transaction& txn) { return TryFactor(txn, request, now, completion); }));
  switch (completion.verdict) {
    case FactorVerdict::kAccepted:
      break;
    case FactorVerdict::kWrong:
      return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_WRONG,
                            "the code is wrong", {}, "Type the code that the app shows now.");
    case FactorVerdict::kReused:
      return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_FACTOR_REUSED,
                            "the code was used already", {}, "Wait for the next code.");
    case FactorVerdict::kNotEnrolled:
      return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                            reason::v1::REASON_FACTOR_NOT_ENROLLED, "the user has no second factor",
                            completion.user.principal(), "Ask an administrator to enroll one.");
    case FactorVerdict::kThrottled:
      return rpc::MakeError(absl::StatusCode::kResourceExhausted, reason::v1::REASON_THROTTLED,
                            "too many wrong codes", {}, "Wait some minutes and open the app again.",
                            kFactorWindow);
  }
  completion.record.set_outcome(v1::OUTCOME_ALLOWED);
  v1::CompleteFactorResponse response;
  *response.mutable_result() = ResultFor(completion.record, completion.user);
  *response.mutable_factor_at() = rpc::ToTimestamp(now);
  return response;
}

absl::StatusOr<v1::ExplainDecisionResponse> SignOn::Explain(
    const v1::ExplainDecisionRequest& request) {
  DT_ASSIGN_OR_RETURN(StoredDecision stored, parts_.database.Read([&](db::Transaction& txn) {
    return FindDecision(txn, request.code());
  }));
  v1::Decision& decision = stored.record;
  DT_ASSIGN_OR_RETURN(const AppState app, parts_.store.AppAt(decision.app_id(), stored.app_revision,
                                                             stored.zones_revision));
  const std::vector<std::string> groups(decision.user().groups().begin(),
                                        decision.user().groups().end());
  Facts facts;
  facts.user_id = decision.user().id();
  facts.groups = groups;
  facts.address = IpAddress::Parse(decision.client().address());
  facts.client = ClientFromMessage(decision.client_kind());
  facts.claimed_platform = PlatformFromMessage(decision.claimed_platform());
  const Platform verified = PlatformFromMessage(decision.verified_platform());
  if (verified != Platform::kUnknown) facts.verified_platform = verified;
  facts.trust = TrustFromMessage(decision.trust());
  facts.now = rpc::FromTimestamp(decision.at());
  facts.authenticated_at = rpc::FromTimestamp(decision.authenticated_at());
  if (decision.has_factor_at()) facts.factor_at = rpc::FromTimestamp(decision.factor_at());
  AddTrace(policy::Explain(*app.policy, facts, app.policy->Evaluate(facts),
                           WordsOf(decision.trust_reason())),
           decision);
  if (stored.factor_completed_at) {
    *decision.mutable_factor_completed_at() = rpc::ToTimestamp(*stored.factor_completed_at);
    decision.set_outcome(v1::OUTCOME_ALLOWED);
  }
  DT_ASSIGN_OR_RETURN(const auto revoked_at, parts_.log.RevokedAt(decision.certificate_serial()));
  if (revoked_at) *decision.mutable_certificate_revoked_at() = rpc::ToTimestamp(*revoked_at);
  decision.set_remedy(RemedyFor(decision));
  v1::ExplainDecisionResponse response;
  *response.mutable_decision() = std::move(decision);
  return response;
}

std::string RemedyFor(const v1::Decision& decision) {
  switch (decision.outcome()) {
    case v1::OUTCOME_ALLOWED:
      return "";
    case v1::OUTCOME_FACTOR_REQUIRED:
      return "The user was asked for a second factor and has not given it yet.";
    case v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "The user was asked to sign in again.";
    default:
      break;
  }
  switch (decision.trust_reason()) {
    case reason::v1::REASON_UNSPECIFIED:
      return decision.trust() == v1::TRUST_STATE_TRUSTED
                 ? "The device is trusted; the rule denies for another reason, see its conditions."
                 : "Device trust played no part: it is off, or no active rule of the app names it; "
                   "see the conditions of the rules, and switch it on if they need it.";
    case reason::v1::REASON_CERTIFICATE_NOT_PRESENTED:
      return "Enroll the computer, and check that its browser is set up to choose the certificate; "
             "a device that can't enroll needs a rule that lets it in.";
    case reason::v1::REASON_CERTIFICATE_REVOKED:
      return "If the revocation was wrong, remove the certificate from the computer and enroll it "
             "again.";
    case reason::v1::REASON_CERTIFICATE_EXPIRED:
      return "Run the agent on the company network, it renews the certificate.";
    case reason::v1::REASON_CERTIFICATE_OF_ANOTHER_USER:
      return "Sign in as the user who enrolled on this computer, or enroll the other one.";
    case reason::v1::REASON_REVOCATION_DATA_STALE:
      return "The gateway has lost its revocation stream: check that ca and policy are running.";
    case reason::v1::REASON_CHALLENGE_NOT_DONE:
    case reason::v1::REASON_PROOF_INVALID:
    case reason::v1::REASON_PROOF_REPLAYED:
      return "Open the app again; if it happens again, check what stands between browser and mTLS "
             "host.";
    default:
      return "Remove the certificate from the computer and enroll it again.";
  }
}

}  // namespace devicetrust::policy
