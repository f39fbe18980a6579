#include "libs/admin/decision_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Decision Refusal() {
  v1::Decision decision;
  decision.set_code("7F3K-9QXD");
  decision.mutable_at()->set_seconds(1'800'000'000);
  decision.set_outcome(v1::OUTCOME_DENIED);
  decision.set_rule_index(4);
  decision.set_rule_name("Everything else");
  decision.set_trust(v1::TRUST_STATE_NOT_TRUSTED);
  decision.set_trust_reason(reason::v1::REASON_CERTIFICATE_REVOKED);
  decision.set_certificate_serial("4a1f03");
  decision.set_client_kind(v1::CLIENT_KIND_WEB_BROWSER);
  decision.set_claimed_platform(v1::PLATFORM_KIND_OTHER_MOBILE);
  decision.mutable_user()->set_display_name("Ada Lovelace");
  decision.mutable_user()->set_principal("ada@corp.test");
  v1::RuleTrace& rule = *decision.add_rules();
  rule.set_index(2);
  rule.set_name("Windows, trusted");
  rule.set_active(true);
  v1::ConditionTrace& condition = *rule.add_conditions();
  condition.set_condition("device trust");
  condition.set_wanted("trusted");
  condition.set_seen("not trusted");
  decision.set_remedy("Remove the revoked certificate from the computer, then enroll again.");
  return decision;
}

TEST(DecisionTextTest, SaysOfReportOnlyRulesWhatTheyWouldHaveDone) {
  v1::Decision decision = Refusal();
  v1::RuleTrace& tried = *decision.mutable_rules(0);
  tried.set_active(false);
  tried.set_report_only(true);
  EXPECT_THAT(DecisionText(decision), HasSubstr("Windows, trusted: does not match, and is report"));
  tried.set_holds(true);
  EXPECT_THAT(DecisionText(decision), HasSubstr("report-only: it has no effect\n"));
  v1::ReportedRule& reported = *decision.add_reported();
  reported.set_index(2);
  reported.set_name("Windows, trusted");
  reported.set_outcome(v1::OUTCOME_ALLOWED);
  EXPECT_THAT(DecisionText(decision),
              HasSubstr("report-only  rule 2 \"Windows, trusted\" would have decided: ALLOWED\n"));
}

TEST(DecisionTextTest, PutsOutcomeAndRemedyFirstAndShowsEachCondition) {
  const std::string text = DecisionText(Refusal());
  EXPECT_TRUE(
      text.starts_with("7F3K-9QXD  DENIED by rule 4 \"Everything else\"  2027-01-15 08:00:00Z\n"
                       "What to do: Remove the revoked certificate"));
  EXPECT_THAT(text, HasSubstr("Ada Lovelace (ada@corp.test)"));
  EXPECT_THAT(text, HasSubstr("web browser on other mobile (says the user agent)"));
  EXPECT_THAT(text, HasSubstr("device       not trusted: CERTIFICATE_REVOKED\n"));
  EXPECT_THAT(text, HasSubstr("certificate  4a1f03\n"));
  EXPECT_THAT(text, HasSubstr("rule 2  Windows, trusted: does not match\n"));
  EXPECT_THAT(text, HasSubstr("- device trust wants trusted; is not trusted"));
}

// Device Trust is off, or no rule asks: each needs another remedy.
TEST(DecisionTextTest, SaysAsTheOrgDoesWhyTrustWasNotEvaluated) {
  v1::Decision decision = Refusal();
  decision.set_trust(v1::TRUST_STATE_UNSPECIFIED);
  for (const char* const why :
       {"not evaluated (Device Trust is off)", "not evaluated (no rule of the app asks)"}) {
    decision.mutable_rules(0)->mutable_conditions(0)->set_seen(why);
    EXPECT_THAT(DecisionText(decision), HasSubstr(std::string("device       ") + why + "\n"));
  }
}

TEST(DecisionTextTest, JsonLeavesOutWhatIsNotKnown) {
  v1::Decision decision = Refusal();
  std::string json = DecisionJson(decision);
  EXPECT_THAT(json, HasSubstr(R"("trust_reason":"REASON_CERTIFICATE_REVOKED")"));
  EXPECT_THAT(json, HasSubstr(R"("matched":false)"));  // Of a rule that is known.
  for (const char* const unknown : {"UNSPECIFIED", "status", "from_ad", "email", "device_id"}) {
    EXPECT_THAT(json, Not(HasSubstr(unknown)));
  }
  decision.set_trust(v1::TRUST_STATE_TRUSTED);
  EXPECT_THAT(DecisionJson(decision), Not(HasSubstr("trust_reason")));
}

TEST(DecisionTextTest, ColourIsAddedToTheWordsAndOnlyWhenAskedFor) {
  EXPECT_THAT(DecisionText(Refusal()), Not(HasSubstr("\x1b")));
  EXPECT_THAT(DecisionText(Refusal(), Color::kAlways), HasSubstr("\x1b[31mDENIED\x1b[0m"));
}

TEST(DecisionTextTest, WhatABrowserSentCannotMoveTheCursor) {
  v1::Decision decision = Refusal();
  decision.mutable_client()->set_user_agent("Mozilla\x1b[2J");
  EXPECT_THAT(DecisionText(decision), HasSubstr(R"(Mozilla\u001b[2J)"));
}

}  // namespace
}  // namespace devicetrust::admin
