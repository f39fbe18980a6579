#include "libs/admin/decision_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "libs/rpc/error.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

namespace {

class Painter {
 public:
  explicit Painter(Color color) : on_(color == Color::kAlways) {}
  std::string Good(const std::string& text) const { return Paint("32", text); }
  std::string Bad(const std::string& text) const { return Paint("31", text); }
  std::string Dim(const std::string& text) const { return Paint("2", text); }
  std::string Bold(const std::string& text) const { return Paint("1", text); }

 private:
  std::string Paint(std::string_view code, const std::string& text) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
  bool on_;
};

std::string OutcomeWords(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_ALLOWED:
      return "ALLOWED";
    case v1::OUTCOME_FACTOR_REQUIRED:
      return "ALLOWED AFTER A SECOND FACTOR, which was not given,";
    case v1::OUTCOME_DENIED:
      return "DENIED";
    case v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "SENT BACK TO SIGN IN AGAIN";
    default:
      return "UNDECIDED";
  }
}

std::string PlatformWords(const v1::Decision& decision) {
  if (decision.verified_platform() != v1::PLATFORM_KIND_UNSPECIFIED) {
    return PlatformWord(decision.verified_platform()) + " (says the directory)";
  }
  return PlatformWord(decision.claimed_platform()) + " (says the user agent)";
}

// Device Trust was off, or no rule asked: the org says which in the trace of its condition.
std::string WhyNotEvaluated(const v1::Decision& decision) {
  for (const v1::RuleTrace& rule : decision.rules()) {
    for (const v1::ConditionTrace& condition : rule.conditions()) {
      if (condition.condition() == "device trust") return Printable(condition.seen());
    }
  }
  return "not evaluated";
}

std::string DeviceWords(const v1::Decision& decision) {
  switch (decision.trust()) {
    case v1::TRUST_STATE_TRUSTED:
      return "trusted";
    case v1::TRUST_STATE_NOT_TRUSTED:
      return "not trusted: " + rpc::ReasonName(decision.trust_reason());
    default:
      return WhyNotEvaluated(decision);
  }
}

std::string DeviceLines(const v1::Decision& decision) {
  std::string text = fmt::format("  device       {}\n", DeviceWords(decision));
  const auto line = [&text](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<13}{}\n", name, Printable(value));
  };
  line("certificate", decision.certificate_serial());
  if (decision.has_certificate_revoked_at()) {
    line("revoked", FormatTime(decision.certificate_revoked_at()));
  }
  line("device id", decision.device_id());
  if (decision.has_factor_completed_at()) {
    line("factor", "passed " + FormatTime(decision.factor_completed_at()));
  }
  return text;
}

std::string_view WhyNot(const v1::RuleTrace& rule) {
  if (rule.report_only()) {
    return rule.holds() ? "matches, and is report-only: it has no effect"
                        : "does not match, and is report-only";
  }
  if (!rule.active()) return "is not active";
  return rule.holds() ? "matches, too late" : "does not match";
}

std::string RuleLines(const v1::RuleTrace& rule, const Painter& paint) {
  const std::string verdict =
      rule.matched() ? paint.Good("matches, and decides") : paint.Dim(std::string(WhyNot(rule)));
  std::string text =
      fmt::format("  rule {}  {}: {}\n", rule.index(), Printable(rule.name()), verdict);
  for (const v1::ConditionTrace& condition : rule.conditions()) {
    text += fmt::format("          {} {:<13}wants {}; is {}\n", condition.matched() ? "+" : "-",
                        condition.condition(), Printable(condition.wanted()),
                        Printable(condition.seen()));
  }
  return text;
}

// Takes away the members that stand for "not known". `sparse`: also those of a message that is
// filled in part, where false and none mean the same.
void LeaveOutUnknown(nlohmann::ordered_json& object, bool sparse) {
  std::vector<std::string> unknown;
  for (const auto& [name, value] : object.items()) {
    bool empty = value.is_null();
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      empty = text.empty() || text.ends_with("_UNSPECIFIED");
    }
    empty |= sparse &&
             ((value.is_boolean() && !value.get<bool>()) || (value.is_array() && value.empty()));
    if (empty) unknown.push_back(name);
  }
  for (const std::string& name : unknown) object.erase(name);
}

}  // namespace

std::string DecisionJson(const v1::Decision& decision) {
  v1::Decision known = decision;
  if (known.trust() != v1::TRUST_STATE_NOT_TRUSTED) known.clear_trust_reason();
  auto json = nlohmann::ordered_json::parse(ToJson(known), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return "{}";
  LeaveOutUnknown(json, /*sparse=*/false);
  for (const char* const part : {"user", "client"}) {
    if (json.contains(part) && json[part].is_object()) LeaveOutUnknown(json[part], /*sparse=*/true);
  }
  return PrintableJson(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string ReportedText(const v1::Decision& decision) {
  std::string text;
  for (const v1::ReportedRule& rule : decision.reported()) {
    text += fmt::format("  report-only  rule {} \"{}\" would have decided: {}\n", rule.index(),
                        Printable(rule.name()), OutcomeWords(rule.outcome()));
  }
  return text;
}

std::string TraceText(const google::protobuf::RepeatedPtrField<v1::RuleTrace>& rules, Color color) {
  std::string text;
  for (const v1::RuleTrace& rule : rules) text += RuleLines(rule, Painter(color));
  return text;
}

std::string DecisionText(const v1::Decision& decision, Color color) {
  const Painter paint(color);
  const bool good = decision.outcome() == v1::OUTCOME_ALLOWED;
  const std::string outcome = OutcomeWords(decision.outcome());
  std::string text =
      fmt::format("{}  {} by rule {} \"{}\"  {}\n", paint.Bold(decision.code()),
                  good ? paint.Good(outcome) : paint.Bad(outcome), decision.rule_index(),
                  Printable(decision.rule_name()), FormatTime(decision.at()));
  if (!decision.remedy().empty()) {
    text += fmt::format("What to do: {}\n", paint.Bold(Printable(decision.remedy())));
  }
  text += fmt::format("\n  who          {}\n  app          {} ({})\n", PersonText(decision.user()),
                      Printable(decision.app_label()), Printable(decision.app_id()));
  text += fmt::format("  from         {}, {} on {}\n", Printable(decision.client().address()),
                      ClientWord(decision.client_kind()), PlatformWords(decision));
  if (!decision.client().user_agent().empty()) {
    text += fmt::format("  user agent   {}\n", Printable(decision.client().user_agent()));
  }
  text += DeviceLines(decision) + ReportedText(decision) + "\n";
  return text + TraceText(decision.rules(), color);
}

}  // namespace devicetrust::admin
