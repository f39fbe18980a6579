// A decision in words, for administrators (POL-6): which rule decided, and for each rule
// before it every condition: what it wanted, what was there, and whether that matched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy-engine/rules/evaluation.h"

namespace devicetrust::policy {

struct ConditionExplanation {
  Condition condition;
  bool matched;
  std::string wanted;  // "Windows"
  std::string seen;    // "iOS (user agent)"
};

struct RuleExplanation {
  std::size_t index;  // From 1, as people count.
  std::string name;
  bool active;
  bool report_only;
  bool holds;    // Every condition matches, whether the rule is in force or not.
  bool matched;  // It decides. True for exactly one.
  std::vector<ConditionExplanation> conditions;
};

std::string_view Name(Condition condition);
std::string_view Name(Outcome outcome);

// Which rules an explanation speaks of.
enum class Scope : std::uint8_t { kUpToTheDecidingOne, kAll };

// `decision` is what `policy.Evaluate(facts)` returned. `trust_reason` says why the device is
// not trusted ("no certificate was presented"); may be empty. People whom a rule names are counted,
// not named: whoever may read of one person's sign-in need not learn who else a rule is about.
std::vector<RuleExplanation> Explain(const CompiledPolicy& policy, const Facts& facts,
                                     const Decision& decision, std::string_view trust_reason,
                                     Scope scope = Scope::kUpToTheDecidingOne);

// The conditions of rule `index` alone.
std::vector<ConditionExplanation> ExplainConditions(const CompiledPolicy& policy,
                                                    const Facts& facts, const Decision& decision,
                                                    std::size_t index,
                                                    std::string_view trust_reason);

}  // namespace devicetrust::policy
