#include "policy-engine/decisions/factor_completion.h"

#include <gtest/gtest.h>

#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/users/totp_factors.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class FactorCompletionTest : public SignOnFixture {};

TEST_F(FactorCompletionTest, AFactorFinishesItsDecisionOnceInTimeAndInItsSession) {
  const std::string code = Evaluate(Trusted()).code();
  EXPECT_EQ(ReasonOf(Complete("0000-0000")), reason::v1::REASON_DECISION_UNKNOWN);
  EXPECT_EQ(ReasonOf(Complete(code, "session-2")), reason::v1::REASON_DECISION_UNKNOWN);
  ASSERT_TRUE(Complete(code).ok());
  EXPECT_EQ(ReasonOf(Complete(code, "session-1", "654321")), reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_EQ(ReasonOf(Complete(Evaluate(Request()).code())), reason::v1::REASON_CONFLICTING_STATE);
  const std::string late = Evaluate(Trusted()).code();
  clock_.Advance(kFactorWindow);
  EXPECT_EQ(ReasonOf(Complete(late)), reason::v1::REASON_DECISION_UNKNOWN);
}

// A second click on a slow line: the same session and code within a minute, and nobody else.
TEST_F(FactorCompletionTest, ASecondClickGetsTheSameAnswer) {
  const std::string code = Evaluate(Trusted()).code();
  ASSERT_TRUE(Complete(code).ok());
  const v1::CompleteFactorResponse first = completed_;
  clock_.Advance(kSameAnswerFor - std::chrono::seconds(1));
  ASSERT_TRUE(Complete(code).ok());
  EXPECT_EQ(completed_.SerializeAsString(), first.SerializeAsString());
  EXPECT_EQ(EventsOf("user.authentication.verify").size(), 1u);
  EXPECT_EQ(ReasonOf(Complete(code, "session-2")), reason::v1::REASON_DECISION_UNKNOWN);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_CONFLICTING_STATE);
}

// It is no place to guess at codes.
TEST_F(FactorCompletionTest, OtherCodesAfterTheRightOneAreCounted) {
  const std::string code = Evaluate(Trusted()).code();
  ASSERT_TRUE(Complete(code).ok());
  for (int i = 0; i < kFactorFailuresMax; ++i) {
    EXPECT_EQ(ReasonOf(Complete(code, "session-1", "000000")),
              reason::v1::REASON_CONFLICTING_STATE);
  }
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_CONFLICTING_STATE);
}

TEST_F(FactorCompletionTest, WrongFactorsAreCountedAndEndTheDecision) {
  const std::string code = Evaluate(Trusted()).code();
  scripted_factors_.verdict = FactorVerdict::kWrong;
  for (int i = 1; i < kFactorFailuresMax; ++i) {
    EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_FACTOR_WRONG);
  }
  // The last one says that there are no more, and when the next sign-on may try.
  scripted_factors_.retry_after = std::chrono::seconds(60);
  const absl::Status last = Complete(code);
  EXPECT_EQ(ReasonOf(last), reason::v1::REASON_FACTOR_ATTEMPTS_SPENT);
  EXPECT_EQ(rpc::DetailOf(last)->retry_after().seconds(), 60);
  scripted_factors_.verdict = FactorVerdict::kAccepted;
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_FACTOR_ATTEMPTS_SPENT);
  EXPECT_EQ(EventsOf("user.authentication.verify").size(), 5u);
  EXPECT_EQ(EventsOf("user.authentication.verify")[0].client().address(), "203.0.113.5");

  const std::string other = Evaluate(Trusted()).code();
  scripted_factors_.verdict = FactorVerdict::kNotEnrolled;
  EXPECT_EQ(ReasonOf(Complete(other)), reason::v1::REASON_FACTOR_NOT_ENROLLED);
  scripted_factors_.verdict = FactorVerdict::kReused;
  EXPECT_EQ(ReasonOf(Complete(other)), reason::v1::REASON_FACTOR_REUSED);
}

TEST_F(FactorCompletionTest, ALockedFactorIsToldAndLogged) {
  const std::string code = Evaluate(Trusted()).code();
  scripted_factors_.verdict = FactorVerdict::kWrong;
  scripted_factors_.locks = true;
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_FACTOR_WRONG);
  const auto events = EventsOf("user.mfa.factor.lock");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].actor().display_name(), "ada@corp.test");
  scripted_factors_.verdict = FactorVerdict::kLocked;
  scripted_factors_.locks = false;
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_FACTOR_LOCKED);
  scripted_factors_.verdict = FactorVerdict::kThrottled;
  scripted_factors_.retry_after = std::chrono::seconds(120);
  const absl::Status paused = Complete(code);
  EXPECT_EQ(ReasonOf(paused), reason::v1::REASON_THROTTLED);
  EXPECT_EQ(rpc::DetailOf(paused)->retry_after().seconds(), 120);
  EXPECT_EQ(EventsOf("user.authentication.verify").size(), 1u);  // What was not looked at.
}

// Who has no authenticator is told so, and not asked for a code.
TEST_F(FactorCompletionTest, ADecisionSaysThatTheUserHasNoFactor) {
  EXPECT_EQ(Evaluate(Trusted()).factor_reason(), reason::v1::REASON_FACTOR_NOT_ENROLLED);
  EXPECT_EQ(EventsOf("policy.evaluate_sign_on").back().outcome().reason(), "FACTOR_NOT_ENROLLED");
  DT_ASSERT_OK(database_->Write([this](db::Transaction& txn) {
    return TotpFactors::Store(txn, {user_id_, Bytes(16, 1)});
  }));
  EXPECT_EQ(Evaluate(Trusted()).factor_reason(), reason::v1::REASON_UNSPECIFIED);
}

TEST_F(FactorCompletionTest, NoFactorHelpsAUserWhoWasDeactivatedMeanwhile) {
  const std::string code = Evaluate(Trusted()).code();
  DT_ASSERT_OK(database_->Write(
      [](db::Transaction& txn) { return txn.Run("UPDATE users SET status = 2").status(); }));
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_SESSION_ENDED);
}

}  // namespace
}  // namespace devicetrust::policy
