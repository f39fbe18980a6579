#include "policy-engine/decisions/decision_store.h"

#include <gtest/gtest.h>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"

namespace devicetrust::policy {
namespace {

class DecisionStoreTest : public OrgFixture {
 protected:
  absl::StatusOr<std::string> Insert(const std::vector<std::string>& codes, WallTime at) {
    StoredDecision decision;
    *decision.record.mutable_at() = rpc::ToTimestamp(at);
    decision.record.set_app_id("mail");
    decision.session_id = "session-1";
    decision.app_revision = 3;
    decision.zones_revision = 2;
    return database_->Write([&](db::Transaction& txn) {
      StoredDecision copy = decision;
      return InsertDecision(txn, codes, copy);
    });
  }
  absl::StatusOr<StoredDecision> Find(const std::string& code) {
    return database_->Read([&](db::Transaction& txn) { return FindDecision(txn, code); });
  }
};

TEST_F(DecisionStoreTest, FindsWhatWasStoredHoweverTheCodeIsTyped) {
  EXPECT_EQ(Insert({"7F3K-9QXD"}, kTestStart).value(), "7F3K-9QXD");
  for (const char* typed : {"7F3K-9QXD", "7f3k9qxd", " 7F3K 9QXD "}) {
    const auto found = Find(typed);
    DT_ASSERT_OK(found);
    EXPECT_EQ(found->record.code(), "7F3K-9QXD");
    EXPECT_EQ(found->session_id, "session-1");
    EXPECT_EQ(found->app_revision, 3);
    EXPECT_EQ(found->zones_revision, 2);
    EXPECT_EQ(found->factor_failures, 0);
    EXPECT_EQ(found->factor_completed_at, std::nullopt);
  }
  for (const char* unknown : {"0000-0000", "7F3K-9QX", ""}) {
    EXPECT_EQ(rpc::ReasonOf(Find(unknown).status()), reason::v1::REASON_DECISION_UNKNOWN);
  }
}

TEST_F(DecisionStoreTest, CodesThatAreMadeTogetherLieTogether) {
  using std::chrono::milliseconds;
  const auto code = [this](WallTime at) { return NewDecisionCode(at, random_).value(); };
  const WallTime at = AtUnixSeconds(1'780'272'000);
  const std::string one = code(at);
  EXPECT_EQ(NormalizeDecisionCode(one), one);
  EXPECT_EQ(code(at).substr(0, 5), one.substr(0, 5));
  EXPECT_NE(code(at), one);
  EXPECT_LT(one, code(at + milliseconds(16)));
  EXPECT_LT(code(at + milliseconds(16)), code(at + std::chrono::seconds(60)));
  EXPECT_EQ(code(AtUnixSeconds(-5)).size(), one.size());
}

TEST_F(DecisionStoreTest, TakesTheFirstFreeCode) {
  EXPECT_EQ(Insert({"0000-0001"}, kTestStart).value(), "0000-0001");
  EXPECT_EQ(Insert({"0000-0001", "0000-0002"}, kTestStart).value(), "0000-0002");
  DT_EXPECT_CODE(Insert({"0000-0001", "0000-0002"}, kTestStart), kAborted);
}

TEST_F(DecisionStoreTest, CountsWrongFactorsAndKeepsWhenOnePassed) {
  const std::string code = Insert({"0000-0001"}, kTestStart).value();
  DT_ASSERT_OK(
      database_->Write([&](db::Transaction& txn) { return CountFactorFailure(txn, code); }));
  DT_ASSERT_OK(database_->Write([&](db::Transaction& txn) {
    return CompleteDecision(txn, code, kTestStart + std::chrono::seconds(9));
  }));
  EXPECT_EQ(Find(code)->factor_failures, 1);
  EXPECT_EQ(Find(code)->factor_completed_at, kTestStart + std::chrono::seconds(9));
}

TEST_F(DecisionStoreTest, AProofIsSpentOnceAndForgottenWhenNobodyWouldTakeIt) {
  const WallTime expires = kTestStart + std::chrono::seconds(30);
  const auto spent = [this](WallTime now) {
    DT_EXPECT_OK(
        database_->Write([now](db::Transaction& txn) { return PruneDecisions(txn, now); }));
    return database_->Read([](db::Transaction& txn) { return IsProofSpent(txn, "p"); }).value();
  };
  const auto spend = [this, expires] {
    return database_->Write([&](db::Transaction& txn) { return SpendProof(txn, "p", expires); });
  };
  EXPECT_FALSE(spent(kTestStart));
  DT_EXPECT_OK(spend());
  DT_EXPECT_CODE(spend(), kAborted);
  EXPECT_TRUE(spent(expires));
  EXPECT_FALSE(spent(expires + std::chrono::hours(1)));
}

TEST_F(DecisionStoreTest, ForgetsDecisionsAfterTheirRetention) {
  const std::string old = Insert({"0000-0001"}, kTestStart).value();
  const std::string young = Insert({"0000-0002"}, kTestStart + kDecisionRetention).value();
  DT_ASSERT_OK(database_->Write([](db::Transaction& txn) {
    return PruneDecisions(txn, kTestStart + kDecisionRetention + std::chrono::seconds(1));
  }));
  DT_EXPECT_CODE(Find(old), kNotFound);
  DT_EXPECT_OK(Find(young));
}

TEST(DecisionCodeTest, ForgivesHowPeopleType) {
  EXPECT_EQ(NormalizeDecisionCode("7f3k 9qxd"), "7F3K-9QXD");
  EXPECT_EQ(NormalizeDecisionCode("\u200e7F3K-9QXD\u00a0\n"), "7F3K-9QXD");
  EXPECT_EQ(NormalizeDecisionCode("oil0-0000"), "0110-0000");
  EXPECT_EQ(NormalizeDecisionCode("7F3K-9QX"), std::nullopt);
  EXPECT_EQ(NormalizeDecisionCode("7F3K-9QXU"), std::nullopt);
}

}  // namespace
}  // namespace devicetrust::policy
