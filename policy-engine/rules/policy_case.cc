#include "policy-engine/rules/policy_case.h"

namespace devicetrust::policy {

std::vector<CaseResult> RunCases(const CompiledPolicy& policy, std::span<const PolicyCase> cases) {
  std::vector<CaseResult> results;
  results.reserve(cases.size());
  for (const PolicyCase& one : cases) {
    const Facts facts = one.sign_in.facts();
    const Decision decision = policy.Evaluate(facts);
    CaseResult& result = results.emplace_back();
    result.outcome = decision.outcome;
    result.rule = policy.rule(decision.rule).name;
    result.passed = (!one.outcome || *one.outcome == result.outcome) &&
                    (one.rule.empty() || one.rule == result.rule);
    if (!result.passed) result.rules = Explain(policy, facts, decision, {}, Scope::kAll);
  }
  return results;
}

}  // namespace devicetrust::policy
