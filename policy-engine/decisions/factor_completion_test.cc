#include "policy-engine/decisions/factor_completion.h"

#include <gtest/gtest.h>

#include "policy-engine/decisions/sign_on_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class FactorCompletionTest : public SignOnFixture {};

TEST_F(FactorCompletionTest, AFactorFinishesItsDecisionOnceInTimeAndInItsSession) {
  const std::string code = Evaluate(Trusted()).code();
  EXPECT_EQ(ReasonOf(Complete("0000-0000")), reason::v1::REASON_DECISION_UNKNOWN);
  EXPECT_EQ(ReasonOf(Complete(code, "session-2")), reason::v1::REASON_DECISION_UNKNOWN);
  ASSERT_TRUE(Complete(code).ok());
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_CONFLICTING_STATE);
  EXPECT_EQ(ReasonOf(Complete(Evaluate(Request()).code())), reason::v1::REASON_CONFLICTING_STATE);
  const std::string late = Evaluate(Trusted()).code();
  clock_.Advance(kFactorWindow);
  EXPECT_EQ(ReasonOf(Complete(late)), reason::v1::REASON_DECISION_UNKNOWN);
}

TEST_F(FactorCompletionTest, WrongFactorsAreCountedAndEndTheDecision) {
  const std::string code = Evaluate(Trusted()).code();
  scripted_factors_.verdict = FactorVerdict::kWrong;
  for (int i = 0; i < kFactorFailuresMax; ++i) {
    EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_FACTOR_WRONG);
  }
  scripted_factors_.verdict = FactorVerdict::kAccepted;
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_THROTTLED);
  EXPECT_EQ(EventsOf("user.authentication.verify").size(), 5u);

  const std::string other = Evaluate(Trusted()).code();
  scripted_factors_.verdict = FactorVerdict::kNotEnrolled;
  EXPECT_EQ(ReasonOf(Complete(other)), reason::v1::REASON_FACTOR_NOT_ENROLLED);
  scripted_factors_.verdict = FactorVerdict::kReused;
  EXPECT_EQ(ReasonOf(Complete(other)), reason::v1::REASON_FACTOR_REUSED);
}

TEST_F(FactorCompletionTest, NoFactorHelpsAUserWhoWasDeactivatedMeanwhile) {
  const std::string code = Evaluate(Trusted()).code();
  DT_ASSERT_OK(database_->Write(
      [](db::Transaction& txn) { return txn.Run("UPDATE users SET status = 2").status(); }));
  EXPECT_EQ(ReasonOf(Complete(code)), reason::v1::REASON_SESSION_ENDED);
}

}  // namespace
}  // namespace devicetrust::policy
