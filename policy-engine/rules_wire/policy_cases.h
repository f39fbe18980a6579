// A policy document that is tested before anybody saves it: sign-ons and what each must come to.
// Pure, so that a command line needs no org for it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "devicetrust/org/v1/policy_document.pb.h"
#include "libs/base/status.h"
#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {

struct TestVerdict {
  bool passed = false;
  org::v1::Outcome outcome = org::v1::OUTCOME_UNSPECIFIED;  // What it came to.
  std::string rule;                                         // That decided.
  // Why it is not what the case says, in one line: the first condition of the expected rule that
  // does not hold. Empty when passed.
  std::string why;
};

// Immutable, thread-safe.
class PolicyUnderTest {
 public:
  // kInvalidArgument: a zone or rule is not valid; the message names it.
  static absl::StatusOr<PolicyUnderTest> Compile(const org::v1::PolicyDocument& document);

  // kInvalidArgument: the case makes no sense; the message says what of it.
  absl::StatusOr<TestVerdict> Run(const org::v1::PolicyTestCase& test) const;

  // Which sign-ins to an app come out otherwise by `after`, exactly (rules/analysis.h). People are
  // named by their principals. kNotFound: one of the two has no such app. kFailedPrecondition: one
  // of them tells clients apart and the other does not.
  absl::StatusOr<org::v1::ComparePoliciesResponse> Compare(const PolicyUnderTest& after,
                                                           const std::string& app_id) const;

 private:
  bool device_trust_ = false;  // Both switches are on.
  std::map<std::string, std::shared_ptr<const CompiledPolicy>, std::less<>> apps_;  // By id.
};

}  // namespace devicetrust::policy
