#include "libs/admin/policy_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(PolicyTextTest, AQuestionIsAnsweredWithEveryRule) {
  v1::WhatIfResponse answer;
  v1::Decision& decision = *answer.mutable_decision();
  decision.set_outcome(v1::OUTCOME_DENIED);
  decision.set_rule_index(2);
  decision.set_rule_name("Nobody\x1b[2J");
  v1::RuleTrace& late = *decision.add_rules();
  late.set_index(3);
  late.set_name("Late");
  late.set_active(true);
  late.set_holds(true);
  answer.set_needs_device_challenge(true);
  const std::string text = WhatIfText(answer);
  EXPECT_THAT(text, HasSubstr("DENIED by rule 2 \"Nobody"));
  EXPECT_THAT(text, HasSubstr("the browser is asked for a certificate\n"));
  EXPECT_THAT(text, HasSubstr("rule 3  Late: matches, too late\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(PolicyTextTest, NotesAreCountedUntilTheyAreAskedFor) {
  v1::AnalyzePolicyResponse answer;
  v1::PolicyFinding& warning = *answer.add_findings();
  warning.set_warning(true);
  warning.set_message("rule 2 'B' is never reached");
  warning.set_example_text("anybody else, from 10.0.0.1");
  answer.add_findings()->set_message("rule 3 'C' is shadowed");
  EXPECT_EQ(FindingsText(answer, false),
            "warning  rule 2 'B' is never reached\n"
            "         for example anybody else, from 10.0.0.1\n"
            "1 note more with --notes.\n");
  EXPECT_THAT(FindingsText(answer, true), HasSubstr("note     rule 3 'C' is shadowed\n"));
  warning.set_kind(v1::PolicyFinding::KIND_NOBODY_CAN_MEET);
  EXPECT_THAT(FindingsText(answer, false), HasSubstr("\n         nearest is anybody else, from"));
  answer.set_bound("the rules overlap in too many ways");
  EXPECT_THAT(FindingsText(answer, true), HasSubstr("Incomplete: the rules overlap"));
}

TEST(PolicyTextTest, VersionsDifferByAnExample) {
  v1::ComparePoliciesResponse answer;
  answer.set_equivalent(true);
  EXPECT_EQ(ComparisonText(answer), "Equivalent: every sign-in comes out as before.\n");
  answer.set_equivalent(false);
  v1::PolicyDifference& one = *answer.add_differences();
  one.mutable_before()->set_index(1);
  one.mutable_before()->set_name("A");
  one.mutable_after()->set_index(2);
  one.mutable_after()->set_name("B");
  one.set_outcome_before(v1::OUTCOME_ALLOWED);
  one.set_outcome_after(v1::OUTCOME_REAUTHENTICATION_REQUIRED);
  one.set_example_text("ada");
  EXPECT_EQ(ComparisonText(answer),
            "ALLOWED → SIGN IN AGAIN: rule 1 \"A\" before, rule 2 \"B\" after\n"
            "         for example ada\n");
}

TEST(PolicyTextTest, AReplayTellsEachFlipAndTheirSum) {
  v1::SignInFlip flip;
  flip.set_code("7F3K-9QXD");
  flip.mutable_at()->set_seconds(1'800'000'000);
  flip.set_principal("ada@corp.test");
  flip.set_before(v1::OUTCOME_ALLOWED);
  flip.set_after(v1::OUTCOME_DENIED);
  flip.set_why("rule 2 'B' matches before");
  EXPECT_EQ(FlipLine(flip),
            "7F3K-9QXD  2027-01-15 08:00:00Z  ada@corp.test  ALLOWED → DENIED  rule 2 'B' matches "
            "before");
  flip.set_depends_on_device(true);
  EXPECT_THAT(FlipLine(flip), HasSubstr("DENIED unless the device is trusted"));
  v1::ReplaySummary summary;
  summary.set_replayed(12);
  summary.set_flipped(3);
  v1::ReplayedFlow& flow = *summary.add_flows();
  flow.set_before(v1::OUTCOME_ALLOWED);
  flow.set_rule_before("A");
  flow.set_after(v1::OUTCOME_DENIED);
  flow.set_rule_after("B");
  flow.set_count(3);
  EXPECT_THAT(ReplayText(summary), HasSubstr("12 sign-ins replayed: 3 would come out otherwise"));
  EXPECT_THAT(ReplayText(summary), HasSubstr("       3  ALLOWED → DENIED: \"A\" before"));
}

}  // namespace
}  // namespace devicetrust::admin
