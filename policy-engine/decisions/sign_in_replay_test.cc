#include "policy-engine/decisions/sign_in_replay.h"

#include <gtest/gtest.h>

#include "policy-engine/decisions/sign_on_fixture.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

class SignInReplayTest : public SignOnFixture {
 protected:
  std::shared_ptr<const CompiledPolicy> Policy(const std::vector<v1::Rule>& messages) {
    const RuleMessages rules(messages.begin(), messages.end());
    return CompiledPolicy::Compile(RulesFromMessages(rules).value(), AppKind::kOffice, {}).value();
  }
  v1::ReplaySummary Replay(const std::vector<v1::Rule>& rules, ReplayRange range = {}) {
    flips_.clear();
    range.app_id = "mail";
    if (range.until == WallTime()) range.until = clock_.Now() + std::chrono::hours(1);
    const auto summary =
        ReplaySignIns(*database_, *Policy(rules), range, [this](const v1::SignInFlip& flip) {
          flips_.push_back(flip);
          return true;
        });
    DT_EXPECT_OK(summary);
    return summary.ok() ? *summary : v1::ReplaySummary();
  }

  std::vector<v1::SignInFlip> flips_;
};

TEST_F(SignInReplayTest, SaysWhoWouldFlipFromWhatToWhatAndWhy) {
  const std::string refused =
      Evaluate(Refused(reason::v1::REASON_CERTIFICATE_REVOKED, "0a1b")).code();
  clock_.Advance(std::chrono::seconds(1));
  const std::string trusted = Evaluate(Trusted()).code();
  EXPECT_EQ(Replay(FiveRules()).flipped(), 0);
  EXPECT_EQ(Replay(FiveRules()).replayed(), 2);

  std::vector<v1::Rule> rules = FiveRules();
  rules[1].clear_platforms();
  rules[1].add_platforms(v1::PLATFORM_KIND_IOS);
  rules[2].add_platforms(v1::PLATFORM_KIND_WINDOWS);
  rules[2].set_name("Everything");
  v1::ReplaySummary summary = Replay(rules);
  EXPECT_EQ(summary.replayed(), 2);
  EXPECT_EQ(summary.flipped(), 1);
  EXPECT_EQ(summary.other_rule(), 1);  // A factor, as before, by another rule.
  ASSERT_EQ(flips_.size(), 1u);
  EXPECT_EQ(flips_[0].code(), refused);
  EXPECT_EQ(flips_[0].principal(), "ada@corp.test");
  EXPECT_EQ(flips_[0].before(), v1::OUTCOME_DENIED);
  EXPECT_EQ(flips_[0].rule_before().name(), "Deny the rest");
  EXPECT_EQ(flips_[0].after(), v1::OUTCOME_FACTOR_REQUIRED);
  EXPECT_EQ(flips_[0].rule_after().index(), 3);
  EXPECT_EQ(flips_[0].why(), "rule 3 'Everything' matches before");
  ASSERT_EQ(summary.flows_size(), 1);
  EXPECT_EQ(summary.flows(0).count(), 1);

  rules = {rules[1], FiveRules()[3]};
  summary = Replay(rules);
  ASSERT_EQ(summary.flipped(), 1);
  EXPECT_EQ(flips_[0].code(), trusted);
  EXPECT_EQ(flips_[0].why(),
            "rule 1 'Windows, trusted' does not match: platform wants iOS; is Windows (directory)");

  Replay({});
  ASSERT_EQ(flips_.size(), 2u);
  EXPECT_EQ(flips_[0].why(), "there is no rule 'Deny the rest', and the default rule decides");
}

TEST_F(SignInReplayTest, ADeviceThatNobodyAskedIsNoFlip) {
  ASSERT_TRUE(SetRules("mail", {}).ok());
  Evaluate(Request());
  const v1::ReplaySummary summary = Replay(FiveRules());
  EXPECT_EQ(summary.flipped(), 0);
  EXPECT_EQ(summary.depends_on_device(), 1);
  ASSERT_EQ(flips_.size(), 1u);
  EXPECT_TRUE(flips_[0].depends_on_device());
  EXPECT_EQ(flips_[0].after(), v1::OUTCOME_DENIED);
  // Here it does not matter what the device would have shown.
  EXPECT_EQ(
      Replay({MakeRule("Nobody", {}, {}, v1::TRUST_CONDITION_ANY, false, false), FiveRules()[1]})
          .flipped(),
      1);
}

TEST_F(SignInReplayTest, TakesASpanOfTimePageByPageAndStopsWhenToldTo) {
  ASSERT_TRUE(SetRules("mail", {}).ok());
  const WallTime begin = clock_.Now();
  // Many in one millisecond, so that a page ends amid them.
  for (int i = 0; i < 1203; ++i) {
    if (i % 601 == 0) clock_.Advance(std::chrono::seconds(1));
    Evaluate(Request());
  }
  const std::vector<v1::Rule> nobody = {
      MakeRule("Nobody", {}, {}, v1::TRUST_CONDITION_ANY, false, false)};
  v1::ReplaySummary summary = Replay(nobody);
  EXPECT_EQ(summary.replayed(), 1203);
  EXPECT_EQ(summary.flipped(), 1203);
  EXPECT_EQ(flips_.size(), 100u);
  ReplayRange middle;
  middle.since = begin + std::chrono::seconds(2);
  middle.until = begin + std::chrono::seconds(3);
  middle.flips_max = 0;
  summary = Replay(nobody, middle);
  EXPECT_EQ(summary.replayed(), 601);
  EXPECT_TRUE(flips_.empty());
  ASSERT_EQ(summary.flows_size(), 1);
  EXPECT_EQ(summary.flows(0).count(), 601);

  ReplayRange all;
  all.app_id = "mail";
  all.until = clock_.Now() + std::chrono::hours(1);
  DT_EXPECT_CODE(
      ReplaySignIns(*database_, *Policy(nobody), all, [](const v1::SignInFlip&) { return false; }),
      kCancelled);
}

}  // namespace
}  // namespace devicetrust::policy
