// Cases that an administrator expects of a policy, run without a store: who, where, with what, and
// what should come of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy-engine/rules/explanation.h"
#include "policy-engine/rules/sign_in.h"

namespace devicetrust::policy {

struct PolicyCase {
  std::string name;
  SignIn sign_in;
  std::optional<Outcome> outcome;  // Expected; nullopt: any.
  std::string rule;                // Name of the rule that should decide; empty: any.
};

struct CaseResult {
  bool passed = false;
  Outcome outcome = Outcome::kDenied;
  std::string rule;                         // Name of the rule that decided.
  std::vector<RuleExplanation> rules = {};  // All of them, of a case that did not pass.
};

// One result for each case, in order. A case that expects nothing passes.
std::vector<CaseResult> RunCases(const CompiledPolicy& policy, std::span<const PolicyCase> cases);

}  // namespace devicetrust::policy
