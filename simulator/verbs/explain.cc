#include "simulator/verbs/explain.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <fstream>

#include "libs/base/files.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::simulator {

namespace v1 = ::devicetrust::org::v1;

namespace {

std::string Time(const google::protobuf::Timestamp& time) {
  return FormatUtc(rpc::FromTimestamp(time));
}

// "OTHER_MOBILE" to "other mobile".
std::string Plain(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    if (c == '_') return ' ';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return name;
}

std::string_view Outcome(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_ALLOWED:
      return "allowed";
    case v1::OUTCOME_FACTOR_REQUIRED:
      return "allowed after a second factor, which was not given";
    case v1::OUTCOME_DENIED:
      return "denied";
    case v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "sent back to sign in again";
    default:
      return "undecided";
  }
}

std::string TrustLine(const v1::Decision& decision) {
  switch (decision.trust()) {
    case v1::TRUST_STATE_TRUSTED:
      return "trusted";
    case v1::TRUST_STATE_NOT_TRUSTED:
      return "not trusted: " + rpc::ReasonName(decision.trust_reason());
    default:
      return "not evaluated: Device Trust is off";
  }
}

std::string Normalized(const std::string& code) {
  std::string plain;
  for (const char c : code) {
    if (c >= 'a' && c <= 'z') plain += static_cast<char>(c - 32);
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) plain += c;
  }
  return plain;
}

std::string RulesText(const v1::Decision& decision, const Style& style) {
  std::string text;
  for (const v1::RuleTrace& rule : decision.rules()) {
    std::string verdict = style.Good("matched");
    if (!rule.matched()) verdict = style.Dim(rule.active() ? "did not match" : "is inactive");
    text += fmt::format("  rule {}  {}: {}\n", rule.index(), rule.name(), verdict);
    for (const v1::ConditionTrace& condition : rule.conditions()) {
      text +=
          fmt::format("          {} {}  wanted {}, seen {}\n", PadRight(condition.condition(), 13),
                      condition.matched() ? "yes" : "no ", condition.wanted(), condition.seen());
    }
  }
  return text;
}

}  // namespace

std::string ExplainText(const v1::Decision& decision, const Style& style) {
  const bool good = decision.outcome() == v1::OUTCOME_ALLOWED;
  const std::string outcome(Outcome(decision.outcome()));
  std::string text = fmt::format(
      "{}  {}\n  {} by rule {} \"{}\"\n", style.Bold(decision.code()), Time(decision.at()),
      good ? style.Good(outcome) : style.Bad(outcome), decision.rule_index(), decision.rule_name());
  if (!decision.remedy().empty()) text += fmt::format("  {}\n", style.Bold(decision.remedy()));
  text += fmt::format("\n  who          {} ({})\n  app          {} ({})\n",
                      decision.user().display_name(), decision.user().principal(),
                      decision.app_label(), decision.app_id());
  const bool verified = decision.verified_platform() != v1::PLATFORM_KIND_UNSPECIFIED;
  const v1::PlatformKind platform =
      verified ? decision.verified_platform() : decision.claimed_platform();
  text += fmt::format("  from         {}, {}\n  platform     {} (says the {})\n",
                      decision.client().address(), Plain(rpc::EnumName(decision.client_kind())),
                      Plain(rpc::EnumName(platform)), verified ? "directory" : "user agent");
  text += fmt::format("  user agent   {}\n", decision.client().user_agent());
  text += fmt::format("  device       {}\n", TrustLine(decision));
  if (!decision.certificate_serial().empty()) {
    text += fmt::format("  certificate  serial {}\n", decision.certificate_serial());
  }
  if (!decision.device_id().empty()) {
    text += fmt::format("  device id    {}\n", decision.device_id());
  }
  if (decision.has_certificate_revoked_at()) {
    text += fmt::format("  revoked      {}\n", Time(decision.certificate_revoked_at()));
  }
  if (decision.has_factor_completed_at()) {
    text += fmt::format("  factor       completed {}\n", Time(decision.factor_completed_at()));
  }
  return text + "\n" + RulesText(decision, style);
}

absl::Status WriteDecisions(const std::string& path, const std::vector<v1::Decision>& decisions) {
  std::string text;
  for (const v1::Decision& decision : decisions) {
    if (!google::protobuf::util::MessageToJsonString(decision, &text).ok()) {
      return absl::InternalError("a decision has no JSON form");
    }
    text += '\n';
  }
  return WriteFileAtomically(path, text);
}

absl::StatusOr<v1::Decision> FindDecision(const std::string& path, const std::string& code) {
  std::ifstream file(path);
  if (!file) {
    return absl::NotFoundError(fmt::format(
        "{} does not exist: no run has kept its decisions there. Run dt-sim run first, or name a "
        "running environment with --run-dir",
        path));
  }
  const std::string wanted = Normalized(code);
  for (std::string line; std::getline(file, line);) {
    v1::Decision decision;
    if (google::protobuf::util::JsonStringToMessage(line, &decision).ok() &&
        Normalized(decision.code()) == wanted) {
      return decision;
    }
  }
  return absl::NotFoundError(
      fmt::format("no decision of the last run has the code {}; {} lists them all", code, path));
}

}  // namespace devicetrust::simulator
