#include "policy-engine/rules_wire/policy_cases.h"

#include <gmock/gmock.h>

#include "libs/testing/status.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using ::testing::HasSubstr;

v1::Rule NewRule(const std::string& name, bool allow) {
  v1::Rule rule;
  rule.set_name(name);
  rule.set_active(true);
  rule.mutable_action()->set_access(allow ? v1::Action::ACCESS_ALLOWED : v1::Action::ACCESS_DENIED);
  return rule;
}

// Trusted Windows of Sales on the network with a factor; the lab by address; nobody else.
v1::PolicyDocument Document() {
  v1::PolicyDocument document;
  document.mutable_settings()->set_device_trust_enabled(true);
  v1::Zone& zone = *document.add_zones();
  zone.set_name("lab");
  zone.add_cidr("10.1.0.0/16");
  v1::App& app = *document.add_apps();
  app.set_id("mail");
  v1::Rule trusted = NewRule("trusted", true);
  trusted.mutable_people()->add_groups("Sales");
  trusted.add_platforms(v1::PLATFORM_KIND_WINDOWS);
  trusted.set_trust(v1::TRUST_CONDITION_TRUSTED);
  trusted.mutable_action()->set_prompt_for_factor(true);
  trusted.mutable_action()->set_factor_frequency(v1::FACTOR_FREQUENCY_EVERY_INTERVAL);
  trusted.mutable_action()->mutable_factor_lifetime()->set_seconds(3600);
  trusted.mutable_action()->mutable_reauthenticate_after()->set_seconds(7200);
  *app.add_rules() = trusted;
  v1::Rule lab = NewRule("lab", true);
  lab.mutable_people()->add_user_ids("Ada@Corp.test");
  lab.mutable_location()->set_kind(v1::LocationCondition::KIND_IN_ZONES);
  lab.mutable_location()->add_zones("lab");
  *app.add_rules() = lab;
  v1::Rule idle = NewRule("idle", true);
  idle.set_active(false);
  *app.add_rules() = idle;
  *app.add_rules() = NewRule("rest", false);
  return document;
}

v1::PolicyTestCase Trusted(v1::Outcome outcome) {
  v1::PolicyTestCase test;
  test.set_app("mail");
  test.set_user("bob@corp.test");
  test.add_groups("sales");
  test.set_user_agent("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0");
  test.set_trust(v1::TRUST_STATE_TRUSTED);
  test.set_outcome(outcome);
  test.set_rule("trusted");
  return test;
}

class PolicyCasesTest : public ::testing::Test {
 protected:
  TestVerdict Run(const v1::PolicyTestCase& test) {
    const auto policy = PolicyUnderTest::Compile(document_);
    DT_EXPECT_OK(policy);
    const auto verdict = policy->Run(test);
    DT_EXPECT_OK(verdict);
    return verdict.ok() ? *verdict : TestVerdict();
  }
  std::string Error(const v1::PolicyTestCase& test) {
    return std::string(PolicyUnderTest::Compile(document_)->Run(test).status().message());
  }
  v1::PolicyDocument document_ = Document();
};

TEST_F(PolicyCasesTest, AgesDecideBetweenFactorAndSignIn) {
  v1::PolicyTestCase test = Trusted(v1::OUTCOME_FACTOR_REQUIRED);
  EXPECT_TRUE(Run(test).passed);
  test.mutable_factor_age()->set_seconds(3599);
  test.set_outcome(v1::OUTCOME_ALLOWED);
  EXPECT_TRUE(Run(test).passed);
  test.mutable_factor_age()->set_seconds(3601);
  EXPECT_EQ(Run(test).outcome, v1::OUTCOME_FACTOR_REQUIRED);
  test.mutable_session_age()->set_seconds(7201);
  test.set_outcome(v1::OUTCOME_REAUTHENTICATION_REQUIRED);
  EXPECT_TRUE(Run(test).passed);
}

TEST_F(PolicyCasesTest, PeopleArePrincipalsInAnyCase) {
  v1::PolicyTestCase test;
  test.set_app("mail");
  test.set_user("ADA@corp.TEST");
  test.set_address("10.1.2.3");
  test.set_outcome(v1::OUTCOME_ALLOWED);
  test.set_rule("lab");
  EXPECT_TRUE(Run(test).passed);
  test.clear_address();
  const TestVerdict verdict = Run(test);
  EXPECT_EQ(verdict.rule, "rest");
  EXPECT_THAT(verdict.why, HasSubstr("rule 'lab': location: wants"));
}

TEST_F(PolicyCasesTest, SaysWhichConditionOfTheExpectedRuleDoesNotHold) {
  v1::PolicyTestCase test = Trusted(v1::OUTCOME_ALLOWED);
  test.set_trust(v1::TRUST_STATE_NOT_TRUSTED);
  EXPECT_THAT(Run(test).why, HasSubstr("rule 'trusted': device trust: wants trusted, has not"));
  test.clear_trust();  // No certificate.
  EXPECT_THAT(Run(test).why, HasSubstr("device trust"));
  test = Trusted(v1::OUTCOME_ALLOWED);
  test.set_user_agent("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15");
  EXPECT_THAT(Run(test).why, HasSubstr("platform: wants Windows, has macOS"));
  test.set_verified_platform(v1::PLATFORM_KIND_WINDOWS);  // The directory knows better.
  EXPECT_EQ(Run(test).rule, "trusted");
  test.set_rule("idle");
  EXPECT_THAT(Run(test).why, HasSubstr("is not active"));
  test.set_rule("rest");
  EXPECT_THAT(Run(test).why, HasSubstr("rule 'trusted' stands before it"));
  test.set_rule("gone");
  EXPECT_THAT(Run(test).why, HasSubstr("no rule 'gone'"));
  test.set_rule("");
  EXPECT_THAT(Run(test).why, HasSubstr("factor required"));
}

TEST_F(PolicyCasesTest, WithDeviceTrustOffNeitherTrustedNorNotTrustedMatches) {
  document_.mutable_settings()->set_device_trust_enabled(false);
  EXPECT_EQ(Run(Trusted(v1::OUTCOME_ALLOWED)).rule, "rest");
  document_.mutable_settings()->set_device_trust_enabled(true);
  document_.mutable_settings()->set_capability_enabled(false);
  EXPECT_EQ(Run(Trusted(v1::OUTCOME_ALLOWED)).rule, "rest");
}

TEST_F(PolicyCasesTest, CasesThatMakeNoSenseAreNamed) {
  v1::PolicyTestCase test = Trusted(v1::OUTCOME_ALLOWED);
  test.set_app("wiki");
  EXPECT_THAT(Error(test), HasSubstr("no app 'wiki'"));
  test = Trusted(v1::OUTCOME_UNSPECIFIED);
  EXPECT_THAT(Error(test), HasSubstr("outcome is missing"));
  test = Trusted(v1::OUTCOME_ALLOWED);
  test.set_platform(v1::PLATFORM_KIND_MACOS);
  EXPECT_THAT(Error(test), HasSubstr("not both"));
  test = Trusted(v1::OUTCOME_ALLOWED);
  test.set_address("home");
  EXPECT_THAT(Error(test), HasSubstr("no IP address: 'home'"));
  test = Trusted(v1::OUTCOME_ALLOWED);
  test.mutable_factor_age()->set_seconds(-1);
  EXPECT_THAT(Error(test), HasSubstr("factor_age"));
  test = Trusted(v1::OUTCOME_ALLOWED);
  test.clear_trust();
  test.set_verified_platform(v1::PLATFORM_KIND_WINDOWS);
  EXPECT_THAT(Error(test), HasSubstr("give trust too"));
}

TEST_F(PolicyCasesTest, APolicyThatIsWrongIsNamed) {
  document_.mutable_apps(0)->mutable_rules(0)->clear_platforms();
  const auto wrong = PolicyUnderTest::Compile(document_);
  DT_EXPECT_CODE(wrong, kInvalidArgument);
  EXPECT_THAT(wrong.status().message(), HasSubstr("app 'mail'"));
  EXPECT_THAT(wrong.status().message(), HasSubstr("device trust"));  // POL-3.
}

}  // namespace
}  // namespace devicetrust::policy
