#include "libs/admin/diagnosis_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace devicetrust::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

org::v1::DiagnoseResponse Sample(org::v1::CheckState state) {
  org::v1::DiagnoseResponse diagnosis;
  diagnosis.mutable_user()->set_principal("ada@corp.test");
  org::v1::Check& check = *diagnosis.add_checks();
  check.set_id("device_trust");
  check.set_title("Device Trust is on");
  check.set_state(state);
  check.set_finding("it is switched off");
  check.set_remedy("Switch it on.");
  return diagnosis;
}

TEST(DiagnosisTextTest, BeginsWithTheFirstCheckThatFailsAndItsRemedy) {
  org::v1::DiagnoseResponse diagnosis = Sample(org::v1::CHECK_STATE_FAILED);
  diagnosis.set_first_failed("device_trust");
  diagnosis.set_remedy("Switch it on.");
  const std::string text = DiagnosisText(diagnosis);
  EXPECT_THAT(text, StartsWith("Device Trust is on does not hold: it is switched off.\n"
                               "First: Switch it on.\nuser     ada@corp.test\n"));
  EXPECT_THAT(text, HasSubstr("  FAILED   Device Trust is on: it is switched off\n"));
}

TEST(DiagnosisTextTest, SaysThatNothingFailsAndWhatCouldNotBeLookedAt) {
  const std::string text = DiagnosisText(Sample(org::v1::CHECK_STATE_UNKNOWN));
  EXPECT_THAT(text, StartsWith("No check fails.\n"));
  EXPECT_THAT(text, HasSubstr("  unknown  Device Trust is on: it is switched off\n"
                              "           Switch it on.\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(DiagnosisText(Sample(org::v1::CHECK_STATE_PASSED), Color::kAlways),
              HasSubstr("\x1b[32mok"));
}

TEST(DiagnosisTextTest, EndsWithTheSignInRuleByRule) {
  org::v1::DiagnoseResponse diagnosis = Sample(org::v1::CHECK_STATE_PASSED);
  diagnosis.mutable_decision()->set_code("7F3K-9QXD");
  org::v1::RuleTrace& rule = *diagnosis.mutable_decision()->add_rules();
  rule.set_index(1);
  rule.set_name("Managed computers");
  EXPECT_THAT(DiagnosisText(diagnosis), HasSubstr("Managed computers"));
}

}  // namespace
}  // namespace devicetrust::admin
