// Answers of the analysis (rules/analysis.h) as messages of the contract.
#pragma once

#include "devicetrust/org/v1/policy_analysis.pb.h"
#include "policy-engine/rules/analysis.h"

namespace devicetrust::policy {

org::v1::SupposedSignIn ToMessage(const SignIn& sign_in);

// Of a rule by its index, or of the default rule.
org::v1::RuleReference ReferenceTo(const CompiledPolicy& policy, std::size_t rule);

// `comparison` is of these two.
org::v1::ComparePoliciesResponse ToMessage(const CompiledPolicy& before,
                                           const CompiledPolicy& after,
                                           const Comparison& comparison);

}  // namespace devicetrust::policy
