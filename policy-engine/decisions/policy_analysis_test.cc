#include "policy-engine/decisions/policy_analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy-engine/decisions/sign_on_fixture.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;

class PolicyAnalysisTest : public SignOnFixture {
 protected:
  v1::WhatIfRequest Supposed(const std::string& user = "Ada@corp.test") {
    v1::WhatIfRequest request;
    request.mutable_policy()->set_app_id("mail");
    request.mutable_sign_in()->set_user(user);
    request.mutable_sign_in()->set_address("203.0.113.5");
    request.mutable_sign_in()->set_client_kind(v1::CLIENT_KIND_WEB_BROWSER);
    request.mutable_sign_in()->set_user_agent(kWindowsAgent);
    return request;
  }
  v1::WhatIfResponse WhatIf(const v1::WhatIfRequest& request) {
    const auto response = analysis_.WhatIf(request);
    DT_EXPECT_OK(response);
    return response.ok() ? *response : v1::WhatIfResponse();
  }
  static void Put(v1::PolicyDraft& draft, const std::vector<v1::Rule>& rules) {
    draft.mutable_rules()->clear_rules();
    for (const v1::Rule& rule : rules) *draft.mutable_rules()->add_rules() = rule;
  }
  std::vector<v1::PolicyFinding> Findings(const v1::PolicyDraft& draft, bool rules_alone) {
    v1::AnalyzePolicyRequest request;
    *request.mutable_policy() = draft;
    request.set_rules_alone(rules_alone);
    const auto response = analysis_.Analyze(request);
    DT_EXPECT_OK(response);
    if (!response.ok()) return {};
    EXPECT_EQ(response->bound(), "");
    return {response->findings().begin(), response->findings().end()};
  }
  static std::vector<v1::PolicyFinding> Of(v1::PolicyFinding::Kind kind,
                                           std::vector<v1::PolicyFinding> findings) {
    std::erase_if(findings, [kind](const auto& one) { return one.kind() != kind; });
    return findings;
  }

  PolicyDrafts drafts_{*store_, *references_};
  PolicyAnalysis analysis_{*database_, drafts_, clock_};
};

// The same facts by a sign-on and by the question: the same answer, and nothing is kept of it.
TEST_F(PolicyAnalysisTest, WhatIfDecidesAsASignOnDoesAndExplainsEveryRule) {
  const v1::SignOnResult real = Evaluate(Trusted());
  const auto events_before = EventsOf("").size();
  v1::WhatIfRequest request = Supposed();
  request.mutable_sign_in()->set_trust(v1::TRUST_STATE_TRUSTED);
  request.mutable_sign_in()->set_verified_platform(v1::PLATFORM_KIND_WINDOWS);
  const v1::WhatIfResponse supposed = WhatIf(request);
  EXPECT_EQ(supposed.decision().outcome(), real.outcome());
  EXPECT_EQ(supposed.decision().rule_name(), real.rule_name());
  EXPECT_TRUE(supposed.needs_device_challenge());
  EXPECT_EQ(supposed.decision().user().id(), user_id_);
  ASSERT_EQ(supposed.decision().rules_size(), 5);
  const v1::RuleTrace& later = supposed.decision().rules(3);
  EXPECT_TRUE(later.holds() && !later.matched());
  EXPECT_TRUE(supposed.decision().rules(4).holds());
  EXPECT_EQ(supposed.decision().rules(4).name(), DefaultRule().name);
  EXPECT_EQ(EventsOf("").size(), events_before);

  request.mutable_sign_in()->mutable_factor_age()->set_seconds(60);
  EXPECT_EQ(WhatIf(request).decision().outcome(), v1::OUTCOME_ALLOWED);
  request.set_device_trust(v1::DEVICE_TRUST_SWITCH_OFF);
  const v1::WhatIfResponse off = WhatIf(request);
  EXPECT_EQ(off.decision().outcome(), v1::OUTCOME_DENIED);
  EXPECT_EQ(off.decision().rules(1).conditions(4).seen(), "not evaluated (Device Trust is off)");
  EXPECT_FALSE(off.needs_device_challenge());
}

TEST_F(PolicyAnalysisTest, WhatIfTakesRulesThatAreNotSavedAndPeopleWhomNobodyKnows) {
  v1::WhatIfRequest request = Supposed("");
  request.mutable_sign_in()->add_groups("night shift");
  v1::Rule rule = MakeRule("Night", {}, {}, v1::TRUST_CONDITION_ANY, false, false);
  rule.mutable_people()->add_groups("Night Shift");
  rule.mutable_people()->add_excluded_user_ids("ada@corp.test");
  rule.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  rule.mutable_location()->add_zones("plant");
  Put(*request.mutable_policy(), {rule});
  EXPECT_EQ(ReasonOf(analysis_.WhatIf(request).status()), reason::v1::REASON_RULE_INVALID);
  v1::Zone& zone = *request.mutable_policy()->mutable_zones()->add_zones();
  zone.set_name("plant");
  zone.add_cidr("203.0.113.0/24");
  EXPECT_EQ(WhatIf(request).decision().rule_name(), "Night");
  request.mutable_sign_in()->set_user("ada");
  EXPECT_EQ(ReasonOf(analysis_.WhatIf(request).status()), reason::v1::REASON_USER_UNKNOWN);
  request.mutable_sign_in()->set_user(user_id_);
  const v1::WhatIfResponse excluded = WhatIf(request);
  EXPECT_EQ(excluded.decision().rule_name(), DefaultRule().name);
  EXPECT_EQ(excluded.decision().rules(0).conditions(0).wanted(),
            "groups Night Shift; except 1 user");

  const v1::WhatIfRequest good = request;
  request.mutable_sign_in()->set_address("10.0.0");
  EXPECT_EQ(ReasonOf(analysis_.WhatIf(request).status()), reason::v1::REASON_MALFORMED_REQUEST);
  request = good;
  request.mutable_sign_in()->mutable_factor_age()->set_seconds(-1);
  EXPECT_EQ(ReasonOf(analysis_.WhatIf(request).status()), reason::v1::REASON_MALFORMED_REQUEST);
  request = good;
  request.mutable_policy()->set_app_id("nowhere");
  EXPECT_EQ(ReasonOf(analysis_.WhatIf(request).status()), reason::v1::REASON_APP_UNKNOWN);
  EXPECT_EQ(store_->state()->FindApp("mail")->rules.size(), 4);  // Nothing was saved.
}

TEST_F(PolicyAnalysisTest, AnalysisSpeaksOfThePeopleAndDevicesOfTheOrg) {
  v1::PolicyDraft draft;
  draft.set_app_id("mail");
  EXPECT_TRUE(Of(v1::PolicyFinding::KIND_NO_ENROLLED_DEVICE, Findings(draft, false)).empty());

  v1::Rule mac = FiveRules()[1];
  mac.clear_platforms();
  mac.add_platforms(v1::PLATFORM_KIND_MACOS);
  mac.mutable_people()->add_groups("staff");
  v1::Rule sales = FiveRules()[2];
  sales.mutable_people()->add_groups("Sales");
  Put(draft, {mac, sales, FiveRules()[3]});
  const auto no_device = Of(v1::PolicyFinding::KIND_NO_ENROLLED_DEVICE, Findings(draft, false));
  ASSERT_EQ(no_device.size(), 1u);
  EXPECT_TRUE(no_device[0].warning());
  EXPECT_EQ(no_device[0].example().user(), "ada@corp.test");
  const auto nobody = Of(v1::PolicyFinding::KIND_NOBODY_CAN_MEET, Findings(draft, false));
  ASSERT_EQ(nobody.size(), 1u);
  EXPECT_THAT(nobody[0].message(), HasSubstr("none of the 1 people of the org"));
  EXPECT_TRUE(Of(v1::PolicyFinding::KIND_NOBODY_CAN_MEET, Findings(draft, true)).empty());
}

TEST_F(PolicyAnalysisTest, AnExampleOfAFindingComesOutSoWhenItIsSupposed) {
  std::vector<v1::Rule> by_settings = FiveRules();
  by_settings[2].add_platforms(v1::PLATFORM_KIND_WINDOWS);
  v1::WhatIfRequest request;
  request.mutable_policy()->set_app_id("mail");
  Put(*request.mutable_policy(), by_settings);
  const auto admits = Of(v1::PolicyFinding::KIND_ADMITS_UNTRUSTED,
                         Findings(request.policy(), /*rules_alone=*/true));
  ASSERT_EQ(admits.size(), 1u);
  EXPECT_EQ(admits[0].message(),
            "rule 3 'Not Windows' admits untrusted devices where rule 2 'Windows, trusted' would "
            "have asked for a trusted one");
  *request.mutable_sign_in() = admits[0].example();
  EXPECT_EQ(WhatIf(request).decision().rule_index(), 3);
  EXPECT_EQ(WhatIf(request).decision().outcome(), v1::OUTCOME_FACTOR_REQUIRED);
}

// Each of `rules`' findings of a kind, as its example comes out when it is supposed.
TEST_F(PolicyAnalysisTest, FindingsThatSpeakOfAllSignInsHaveExamplesToo) {
  v1::WhatIfRequest request;
  request.mutable_policy()->set_app_id("mail");
  const auto supposed = [&](v1::PolicyFinding::Kind kind, const std::vector<v1::Rule>& rules) {
    Put(*request.mutable_policy(), rules);
    const auto found = Of(kind, Findings(request.policy(), /*rules_alone=*/true));
    EXPECT_EQ(found.size(), 1u);
    if (found.empty()) return v1::Decision();
    EXPECT_NE(found[0].example_text(), "");
    *request.mutable_sign_in() = found[0].example();
    request.set_device_trust(found[0].example().trust() == v1::TRUST_STATE_UNSPECIFIED
                                 ? v1::DEVICE_TRUST_SWITCH_OFF
                                 : v1::DEVICE_TRUST_SWITCH_ON);
    return WhatIf(request).decision();
  };
  const v1::Rule rest = FiveRules()[3];
  const v1::Rule trusted = FiveRules()[1];
  v1::Rule untrusted = trusted;
  untrusted.set_name("Windows, untrusted");
  untrusted.set_trust(v1::TRUST_CONDITION_NOT_TRUSTED);
  v1::Rule any = trusted;
  any.set_name("Windows, any");
  any.set_trust(v1::TRUST_CONDITION_ANY);

  EXPECT_EQ(supposed(v1::PolicyFinding::KIND_LOCKS_EVERYBODY_OUT, {rest}).outcome(),
            v1::OUTCOME_DENIED);
  EXPECT_NE(supposed(v1::PolicyFinding::KIND_UNTRUSTED_NEVER_DENIED, {trusted}).outcome(),
            v1::OUTCOME_DENIED);
  EXPECT_EQ(request.sign_in().trust(), v1::TRUST_STATE_NOT_TRUSTED);
  EXPECT_EQ(supposed(v1::PolicyFinding::KIND_REACHED_ONLY_WITHOUT_DEVICE_TRUST,
                     {trusted, untrusted, any, rest})
                .rule_name(),
            any.name());

  v1::Rule nobody = trusted;
  nobody.mutable_people()->add_groups("Sales");
  nobody.mutable_people()->add_excluded_groups("sales");
  const v1::Decision nearest = supposed(v1::PolicyFinding::KIND_NOBODY_CAN_MEET, {nobody, rest});
  ASSERT_EQ(nearest.rules(0).conditions_size(), 5);
  EXPECT_EQ(nearest.rules(0).conditions(0).seen(), "a member of sales, which is excluded");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(nearest.rules(0).conditions(i).matched(), i != 0);
}

TEST_F(PolicyAnalysisTest, ComparesWhatIsSavedWithWhatIsNot) {
  v1::ComparePoliciesRequest request;
  request.mutable_before()->set_app_id("mail");
  request.mutable_after()->set_app_id("mail");
  EXPECT_TRUE(analysis_.Compare(request)->equivalent());
  std::vector<v1::Rule> changed = FiveRules();
  changed[0].mutable_people()->set_everyone(true);
  changed[0].mutable_people()->add_excluded_user_ids("ada@corp.test");
  Put(*request.mutable_after(), changed);
  const auto response = analysis_.Compare(request);
  DT_ASSERT_OK(response);
  ASSERT_EQ(response->differences_size(), 1);
  const v1::PolicyDifference& one = response->differences(0);
  EXPECT_EQ(one.before().name(), "Legacy");
  EXPECT_EQ(one.after().name(), "Deny the rest");
  EXPECT_EQ(one.outcome_before(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(one.outcome_after(), v1::OUTCOME_DENIED);
  EXPECT_EQ(one.example().user(), "ada@corp.test");
  EXPECT_THAT(one.example_text(), HasSubstr("ada@corp.test, from"));

  v1::App other = SamlApp("generic");
  other.set_has_client_conditions(false);
  ASSERT_TRUE(PutApp(other).ok());
  request.mutable_after()->clear_rules();
  request.mutable_after()->set_app_id("generic");
  EXPECT_EQ(ReasonOf(analysis_.Compare(request).status()), reason::v1::REASON_MALFORMED_REQUEST);
}

TEST_F(PolicyAnalysisTest, ReportOnlyRulesMayBeTriedAsIfInForce) {
  std::vector<v1::Rule> rules = {MakeRule("Nobody", {}, {}, v1::TRUST_CONDITION_ANY, false, false)};
  rules[0].set_active(false);
  rules[0].set_report_only(true);
  ASSERT_TRUE(SetRules("mail", rules).ok());
  v1::WhatIfRequest request = Supposed();
  EXPECT_EQ(WhatIf(request).decision().outcome(), v1::OUTCOME_ALLOWED);
  EXPECT_EQ(WhatIf(request).decision().reported(0).outcome(), v1::OUTCOME_DENIED);
  request.mutable_policy()->set_report_only_in_force(true);
  EXPECT_EQ(WhatIf(request).decision().outcome(), v1::OUTCOME_DENIED);
}

}  // namespace
}  // namespace devicetrust::policy
