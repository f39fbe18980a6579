#include "policy-engine/decisions/decision_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using std::chrono::seconds;

class DecisionHistoryTest : public SignOnFixture {};

TEST_F(DecisionHistoryTest, ADecisionIsExplainedByTheRulesOfItsTime) {
  const std::string code = Evaluate(Refused(reason::v1::REASON_CERTIFICATE_REVOKED, "0a1b")).code();
  ASSERT_TRUE(SetRules("mail", {}).ok());
  std::string typed = code;
  for (char& c : typed) c = static_cast<char>(std::tolower(c));
  typed.erase(typed.find('-'), 1);

  const v1::Decision decision = Explain(typed);
  EXPECT_EQ(decision.code(), code);
  EXPECT_EQ(decision.outcome(), v1::OUTCOME_DENIED);
  EXPECT_EQ(decision.app_label(), "App mail");
  ASSERT_EQ(decision.rules_size(), 4);
  EXPECT_TRUE(decision.rules(3).matched());
  const v1::ConditionTrace& trust = decision.rules(1).conditions(4);
  EXPECT_EQ(trust.condition(), "device trust");
  EXPECT_FALSE(trust.matched());
  EXPECT_EQ(trust.wanted(), "trusted");
  EXPECT_EQ(trust.seen(), "not trusted (the certificate is revoked)");
  EXPECT_EQ(decision.rules(2).conditions(3).seen(), "Windows (user agent)");
  EXPECT_EQ(decision.rules(3).conditions(0).seen(), "ada@corp.test");
  EXPECT_FALSE(decision.remedy().empty());
}

TEST_F(DecisionHistoryTest, AnExplanationTellsASwitchThatWasOffFromRulesThatDoNotAsk) {
  ASSERT_TRUE(SetDeviceTrust(false, /*force=*/true).ok());
  const v1::Decision off = Explain(Evaluate(Request()).code());
  EXPECT_EQ(off.trust(), v1::TRUST_STATE_UNSPECIFIED);
  EXPECT_EQ(off.rules(1).conditions(4).seen(), "not evaluated (Device Trust is off)");
  EXPECT_THAT(off.remedy(), ::testing::HasSubstr("Device Trust was off"));

  ASSERT_TRUE(SetRules("mail", {MakeRule("Nobody", {}, {}, v1::TRUST_CONDITION_ANY,
                                         /*allow=*/false, /*factor=*/false)})
                  .ok());
  const v1::Decision unasked = Explain(Evaluate(Request()).code());
  EXPECT_EQ(unasked.trust(), v1::TRUST_STATE_UNSPECIFIED);
  EXPECT_EQ(unasked.rules(0).conditions(4).seen(), "not evaluated (no rule of the app asks)");
  EXPECT_THAT(unasked.remedy(), ::testing::HasSubstr("No active rule of the app asks"));
}

TEST_F(DecisionHistoryTest, AnExplanationKnowsOfTheFactorAndOfALaterRevocation) {
  const std::string code = Evaluate(Trusted()).code();
  EXPECT_EQ(Explain(code).outcome(), v1::OUTCOME_FACTOR_REQUIRED);
  ASSERT_TRUE(Complete(code).ok());
  v1::Event revoked = EventBuilder("pki.cert.revoke", "Device Trust certificate revocation",
                                   clock_.Now() + seconds(9))
                          .Target("Certificate", "0a1b")
                          .Take();
  revoked.set_id("event-1");
  DT_ASSERT_OK(log_->Append(TheOrg(), {&revoked, 1}));
  const v1::Decision decision = Explain(code);
  EXPECT_EQ(decision.outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(decision.remedy(), "");
  EXPECT_TRUE(decision.has_factor_completed_at());
  EXPECT_EQ(decision.certificate_revoked_at().seconds(), UnixSeconds(clock_.Now()) + 9);
  v1::ExplainDecisionRequest request;
  for (const char* bad : {"", "0000-0000", "!!", "7F3K-9QXD-7F3K"}) {
    request.set_code(bad);
    EXPECT_EQ(ReasonOf(history_->Explain(request).status()), reason::v1::REASON_DECISION_UNKNOWN);
  }
}

// History met with other rules: what would have been, had they been in force.
TEST_F(DecisionHistoryTest, AKeptDecisionIsReplayedAgainstOtherRules) {
  v1::EvaluateRequest with_factor = Trusted();
  *with_factor.mutable_session()->mutable_factor_at() = rpc::ToTimestamp(clock_.Now());
  const v1::SignOnResult trusted = Evaluate(with_factor);
  ASSERT_EQ(trusted.outcome(), v1::OUTCOME_ALLOWED);
  const std::string refused =
      Evaluate(Refused(reason::v1::REASON_CERTIFICATE_REVOKED, "0a1b")).code();
  clock_.Advance(std::chrono::hours(24));

  const auto replay = [this](const std::string& code, std::vector<v1::Rule> messages) {
    RuleMessages rules(messages.begin(), messages.end());
    const auto policy =
        CompiledPolicy::Compile(RulesFromMessages(rules).value(), AppKind::kOffice, {}).value();
    const auto replayed = history_->Replay(code, *policy);
    DT_EXPECT_OK(replayed);
    return replayed.ok() ? *replayed : v1::Decision();
  };
  // By the rules of its time it comes out as it did: time and factor are those of then.
  EXPECT_EQ(replay(trusted.code(), FiveRules()).outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(replay(trusted.code(), FiveRules()).rule_index(), trusted.rule_index());
  EXPECT_EQ(replay(refused, FiveRules()).outcome(), v1::OUTCOME_DENIED);

  // A day later the same session would be too old, but it was fresh then.
  v1::Rule strict = FiveRules()[1];
  strict.mutable_action()->mutable_reauthenticate_after()->set_seconds(3600);
  strict.mutable_action()->set_factor_frequency(v1::FACTOR_FREQUENCY_EVERY_SIGN_ON);
  EXPECT_EQ(replay(trusted.code(), {strict}).outcome(), v1::OUTCOME_FACTOR_REQUIRED);
  EXPECT_EQ(replay(refused, {}).rule_name(), DefaultRule().name);
  EXPECT_EQ(replay(refused, {}).outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(replay(refused, {}).trust_reason(), reason::v1::REASON_CERTIFICATE_REVOKED);
  EXPECT_EQ(Explain(refused).outcome(), v1::OUTCOME_DENIED);  // What was kept stays.
  EXPECT_EQ(
      ReasonOf(history_->Replay("0000-0000", *store_->state()->FindApp("mail")->policy).status()),
      reason::v1::REASON_DECISION_UNKNOWN);
}

}  // namespace
}  // namespace devicetrust::policy
