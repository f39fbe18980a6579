#include "policy-engine/decisions/sign_on_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "policy-engine/decisions/decision_store.h"
#include "policy-engine/rules_wire/rule_messages.h"
#include "policy-engine/sessions/session_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kCodesTried = 3;

// Random octets that were asked for together: the kernel takes longer to be asked than to answer.
class DrawnOctets final : public Random {
 public:
  absl::Status Draw(Random& random) { return random.Fill(octets_); }
  absl::Status Fill(std::span<std::uint8_t> out) override {
    if (out.size() > left_.size()) return absl::InternalError("too few random octets were drawn");
    std::ranges::copy(left_.first(out.size()), out.begin());
    left_ = left_.subspan(out.size());
    return absl::OkStatus();
  }

 private:
  std::array<std::uint8_t, 64> octets_;
  std::span<const std::uint8_t> left_ = octets_;
};

EventResult EventResultOf(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_ALLOWED:
      return v1::EventOutcome::RESULT_ALLOW;
    case v1::OUTCOME_DENIED:
      return v1::EventOutcome::RESULT_DENY;
    default:
      return v1::EventOutcome::RESULT_CHALLENGE;
  }
}

// The device that a good proof speaks of, trusted or not.
v1::Event DeviceEvent(const v1::Decision& decided, const std::string& platform, WallTime now) {
  const bool trusted = decided.trust() == v1::TRUST_STATE_TRUSTED;
  return EventBuilder("user.authentication.authenticate",
                      "Authentication of device through a certificate", now)
      .ActorUser(decided.user().id(), decided.user().principal())
      .Client(decided.client(), platform)
      .Target("Certificate", decided.certificate_serial())
      .Outcome(trusted ? v1::EventOutcome::RESULT_SUCCESS : v1::EventOutcome::RESULT_FAILURE,
               trusted ? reason::v1::REASON_UNSPECIFIED : decided.trust_reason())
      .Debug("device_id", decided.device_id())
      .Debug("serial", decided.certificate_serial())
      .Debug("code", decided.code())
      .Take();
}

// Why nobody came in by this decision alone, where there is a reason.
reason::v1::Reason ReasonOf(const v1::Decision& decided, const v1::User& user) {
  if (decided.outcome() == v1::OUTCOME_DENIED) return reason::v1::REASON_DENIED_BY_RULE;
  const bool asks = decided.outcome() == v1::OUTCOME_FACTOR_REQUIRED;
  if (asks && user.factors().empty()) return reason::v1::REASON_FACTOR_NOT_ENROLLED;
  return reason::v1::REASON_UNSPECIFIED;
}

// "rule 3 'Managed only': DENIED" for each report-only rule that would have decided.
std::string ReportedText(const v1::Decision& decided) {
  constexpr std::size_t kBytesMax = 1024;
  std::string text;
  for (const v1::ReportedRule& rule : decided.reported()) {
    text += fmt::format("{}rule {} '{}': {}", text.empty() ? "" : "; ", rule.index(), rule.name(),
                        rpc::EnumName(rule.outcome()));
    if (text.size() > kBytesMax) break;
  }
  return CutText(std::move(text), kBytesMax);
}

v1::Event SignOnEvent(const v1::Decision& decided, const v1::User& user,
                      const std::string& platform, WallTime now) {
  const bool untrusted = decided.trust() == v1::TRUST_STATE_NOT_TRUSTED;
  return EventBuilder("policy.evaluate_sign_on", "Evaluation of a sign-on policy", now)
      .ActorUser(decided.user().id(), decided.user().principal())
      .Client(decided.client(), platform)
      .Target("AppInstance", decided.app_id(), decided.app_label())
      .Target("Rule", fmt::format("{}", decided.rule_index()), decided.rule_name())
      .Outcome(EventResultOf(decided.outcome()), ReasonOf(decided, user))
      .Debug("code", decided.code())
      .Debug("trust", std::string(Name(TrustFromMessage(decided.trust()))))
      .Debug("trust_reason", untrusted ? rpc::ReasonName(decided.trust_reason()) : "")
      .Debug("device_id", decided.device_id())
      .Debug("serial", decided.certificate_serial())
      .Debug("report_only", ReportedText(decided))
      .Take();
}

// What the sign-on says of its session: a use, the device, perhaps an app that is open now.
absl::Status RecordSession(db::Transaction& txn, const StoredSession& session,
                           const v1::Decision& decided, WallTime now) {
  const v1::ClientInfo& client = decided.client();
  DT_RETURN_IF_ERROR(TouchSession(txn, session, {client.address(), client.user_agent()}, now));
  if (decided.trust() != v1::TRUST_STATE_UNSPECIFIED) {
    const bool trusted = decided.trust() == v1::TRUST_STATE_TRUSTED;
    DT_RETURN_IF_ERROR(WriteSessionTrust(
        txn, session, trusted ? SessionTrust::kTrusted : SessionTrust::kNotTrusted,
        decided.device_id(), decided.certificate_serial()));
  }
  if (decided.outcome() != v1::OUTCOME_ALLOWED) return absl::OkStatus();
  return NoteOpenedApp(txn, session.id, decided.app_id(), now);
}

}  // namespace

absl::StatusOr<RecordIds> RecordIds::New(WallTime now, Random& random) {
  DrawnOctets drawn;
  DT_RETURN_IF_ERROR(drawn.Draw(random));
  RecordIds ids;
  for (int i = 0; i < kCodesTried; ++i) {
    DT_ASSIGN_OR_RETURN(std::string code, NewDecisionCode(now, drawn));
    ids.codes.push_back(std::move(code));
  }
  DT_ASSIGN_OR_RETURN(ids.device_event, NewEventId(now, drawn));
  DT_ASSIGN_OR_RETURN(ids.sign_on_event, NewEventId(now, drawn));
  return ids;
}

absl::Status RecordSignOn(db::Transaction& txn, const SignOnInput& input, const RecordIds& ids,
                          const SignOnFacts& facts, v1::Decision& decided,
                          std::vector<v1::Event>& events) {
  if (facts.spends_proof) {
    DT_RETURN_IF_ERROR(SpendProof(txn, input.proof.id, input.proof.expires_at));
  }
  StoredDecision stored;
  stored.record = std::move(decided);
  stored.session_id = input.request.session().session_id();
  stored.app_revision = input.app->revision;
  stored.zones_revision = input.state->zones_revision;
  DT_RETURN_IF_ERROR(InsertDecision(txn, ids.codes, stored).status());
  decided = std::move(stored.record);

  const std::string platform(Name(EffectivePlatform(decided)));
  const bool evaluated = decided.trust() != v1::TRUST_STATE_UNSPECIFIED;
  if (evaluated && input.proof.valid && !input.proof.serial.empty()) {
    events.push_back(DeviceEvent(decided, platform, input.now));
    events.back().set_id(ids.device_event);
  }
  if (facts.session) DT_RETURN_IF_ERROR(RecordSession(txn, *facts.session, decided, input.now));
  events.push_back(SignOnEvent(decided, facts.user, platform, input.now));
  events.back().set_id(ids.sign_on_event);
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
