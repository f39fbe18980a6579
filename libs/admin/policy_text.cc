#include "libs/admin/policy_text.h"

#include <fmt/format.h>

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string_view OutcomeWord(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_ALLOWED:
      return "ALLOWED";
    case v1::OUTCOME_FACTOR_REQUIRED:
      return "FACTOR REQUIRED";
    case v1::OUTCOME_DENIED:
      return "DENIED";
    case v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "SIGN IN AGAIN";
    default:
      return "?";
  }
}

std::string Change(v1::Outcome before, v1::Outcome after) {
  return fmt::format("{} → {}", OutcomeWord(before), OutcomeWord(after));
}

std::string RuleWords(const v1::RuleReference& rule) {
  return fmt::format("rule {} \"{}\"", rule.index(), Printable(rule.name()));
}

std::string BoundText(const std::string& bound) {
  if (bound.empty()) return "";
  return fmt::format("Incomplete: {}. There may be more than is listed.\n", Printable(bound));
}

}  // namespace

std::string WhatIfText(const v1::WhatIfResponse& answer, Color color) {
  const v1::Decision& decision = answer.decision();
  std::string text = fmt::format("{} by rule {} \"{}\"\n", OutcomeWord(decision.outcome()),
                                 decision.rule_index(), Printable(decision.rule_name()));
  text += fmt::format("  challenge    {}\n", answer.needs_device_challenge()
                                                 ? "the browser is asked for a certificate"
                                                 : "none");
  return text + ReportedText(decision) + "\n" + TraceText(decision.rules(), color);
}

std::string FindingsText(const v1::AnalyzePolicyResponse& answer, bool with_notes) {
  std::string text;
  std::size_t notes = 0;
  for (const v1::PolicyFinding& finding : answer.findings()) {
    if (!finding.warning() && !with_notes) {
      ++notes;
      continue;
    }
    text += fmt::format("{}  {}\n", finding.warning() ? "warning" : "note   ",
                        Printable(finding.message()));
    if (!finding.example_text().empty()) {
      const bool met = finding.kind() != v1::PolicyFinding::KIND_NOBODY_CAN_MEET;
      text += fmt::format("         {} {}\n", met ? "for example" : "nearest is",
                          Printable(finding.example_text()));
    }
  }
  if (notes > 0) text += fmt::format("{} more with --notes.\n", Plural(notes, "note"));
  return text + BoundText(answer.bound());
}

std::string ComparisonText(const v1::ComparePoliciesResponse& answer) {
  if (answer.equivalent()) return "Equivalent: every sign-in comes out as before.\n";
  std::string text;
  for (const v1::PolicyDifference& one : answer.differences()) {
    text +=
        fmt::format("{}: {} before, {} after\n", Change(one.outcome_before(), one.outcome_after()),
                    RuleWords(one.before()), RuleWords(one.after()));
    text += fmt::format("         for example {}\n", Printable(one.example_text()));
  }
  return text + BoundText(answer.bound());
}

std::string FlipLine(const v1::SignInFlip& flip) {
  return Printable(fmt::format("{}  {}  {}  {}{}  {}", flip.code(), FormatTime(flip.at()),
                               flip.principal(), Change(flip.before(), flip.after()),
                               flip.depends_on_device() ? " unless the device is trusted" : "",
                               flip.why()));
}

std::string ReplayText(const v1::ReplaySummary& summary) {
  std::string text = fmt::format(
      "{} replayed: {} would come out otherwise, {} depend on a device that nobody asked,\n"
      "{} come out as before by another rule.\n",
      Plural(static_cast<std::size_t>(summary.replayed()), "sign-in"), summary.flipped(),
      summary.depends_on_device(), summary.other_rule());
  for (const v1::ReplayedFlow& flow : summary.flows()) {
    text += fmt::format("{:>8}  {}{}: \"{}\" before, \"{}\" after\n", flow.count(),
                        Change(flow.before(), flow.after()),
                        flow.depends_on_device() ? " unless trusted" : "",
                        Printable(flow.rule_before()), Printable(flow.rule_after()));
  }
  return text;
}

}  // namespace devicetrust::admin
