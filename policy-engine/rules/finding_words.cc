#include "policy-engine/rules/finding_words.h"

#include <fmt/format.h>

#include "policy-engine/rules/explanation.h"

namespace devicetrust::policy {
namespace {

// At most three by name.
std::string NamesOf(const CompiledPolicy& policy, const std::vector<std::size_t>& rules) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < rules.size() && i < kShown; ++i) {
    if (i > 0) text += ", ";
    text += NameOf(policy, rules[i]);
  }
  if (rules.size() > kShown) text += fmt::format(" and {} more", rules.size() - kShown);
  return text;
}

std::string Hole(const Finding& finding, std::string_view when) {
  std::string text =
      fmt::format("some sign-ins match no rule{}, so that the default rule lets them in", when);
  if (!finding.detail.empty()) text += fmt::format(" (on {})", finding.detail);
  return text + "; end with a rule that denies everybody else";
}

// "location wants in plant; is 10.0.0.1, in no zone": what the nearest sign-in does not meet.
std::string Unmet(const CompiledPolicy& policy, const Finding& finding) {
  const Facts facts = finding.example.facts();
  std::string text;
  for (const ConditionExplanation& one :
       ExplainConditions(policy, facts, policy.Evaluate(facts), finding.rule, "")) {
    if (one.matched) continue;
    if (!text.empty()) text += ", and ";
    text += fmt::format("{} wants {}; is {}", Name(one.condition), one.wanted, one.seen);
  }
  return text;
}

}  // namespace

std::string NameOf(const CompiledPolicy& policy, std::size_t rule) {
  if (rule >= policy.rules().size()) return "the default rule";
  return fmt::format("rule {} '{}'", rule + 1, policy.rule(rule).name);
}

std::string Describe(const CompiledPolicy& policy, const Finding& finding) {
  const std::string rule = NameOf(policy, finding.rule);
  const std::string others = NamesOf(policy, finding.others);
  switch (finding.kind) {
    case FindingKind::kNeverReached:
      return fmt::format("{} is never reached: {} decide{} whatever meets it", rule, others,
                         finding.others.size() == 1 ? "s" : "");
    case FindingKind::kReachedOnlyWithoutDeviceTrust:
      return fmt::format("{} decides nothing unless Device Trust is switched off", rule);
    case FindingKind::kNobodyCanMeet:
      if (finding.detail.empty()) {
        return fmt::format("{}: no sign-in can meet its conditions; in the nearest, {}", rule,
                           Unmet(policy, finding));
      }
      return fmt::format("{}: {} meets its people condition", rule, finding.detail);
    case FindingKind::kNoEnrolledDevice:
      return fmt::format(
          "{} asks for a trusted device, and nobody whom it names has enrolled one of its "
          "platforms",
          rule);
    case FindingKind::kShadowedInPart:
      return fmt::format("{} decides some sign-ins that meet {}, too, and to another effect",
                         others, rule);
    case FindingKind::kFallsToDefault:
      return Hole(finding, "");
    case FindingKind::kFallsToDefaultWithoutDeviceTrust:
      return Hole(finding, " once Device Trust is switched off");
    case FindingKind::kUntrustedNeverDenied:
      return "a rule asks for trusted devices, but no active rule denies untrusted ones: whoever "
             "has "
             "none is let in another way";
    case FindingKind::kAdmitsUntrusted:
      return fmt::format("{} admits untrusted devices where {} would have asked for a trusted one",
                         rule, others);
    case FindingKind::kAdmitsUntrustedByName:
      return fmt::format("{} admits untrusted devices, as it says, where {} asks for a trusted one",
                         rule, others);
    case FindingKind::kLocksEverybodyOut:
      break;
  }
  return "no sign-in is allowed: the rules lock everybody out";
}

}  // namespace devicetrust::policy
