#include "tools/dtctl/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/json_util.h>

#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "tools/dtctl/times.h"

namespace devicetrust::ctl {
namespace {

using org::v1::ConditionTrace;
using org::v1::Decision;
using org::v1::Event;
using org::v1::RuleTrace;

std::string OutcomeWord(org::v1::Outcome outcome) {
  switch (outcome) {
    case org::v1::OUTCOME_ALLOWED:
      return "ALLOWED";
    case org::v1::OUTCOME_FACTOR_REQUIRED:
      return "FACTOR REQUIRED";
    case org::v1::OUTCOME_DENIED:
      return "DENIED";
    case org::v1::OUTCOME_REAUTHENTICATION_REQUIRED:
      return "SIGN-IN REQUIRED AGAIN";
    default:
      return "UNKNOWN";
  }
}

std::string PlatformWord(org::v1::PlatformKind platform) {
  switch (platform) {
    case org::v1::PLATFORM_KIND_IOS:
      return "iOS";
    case org::v1::PLATFORM_KIND_ANDROID:
      return "Android";
    case org::v1::PLATFORM_KIND_OTHER_MOBILE:
      return "other mobile";
    case org::v1::PLATFORM_KIND_WINDOWS:
      return "Windows";
    case org::v1::PLATFORM_KIND_MACOS:
      return "macOS";
    case org::v1::PLATFORM_KIND_OTHER_DESKTOP:
      return "other desktop";
    default:
      return "unknown platform";
  }
}

std::string ClientWord(org::v1::ClientKind kind) {
  switch (kind) {
    case org::v1::CLIENT_KIND_WEB_BROWSER:
      return "web browser";
    case org::v1::CLIENT_KIND_MODERN_AUTH:
      return "modern authentication";
    case org::v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY:
      return "Exchange ActiveSync or legacy";
    default:
      return "unknown client";
  }
}

std::string TrustLine(const Decision& decision) {
  switch (decision.trust()) {
    case org::v1::TRUST_STATE_TRUSTED:
      return fmt::format("trusted: certificate {}, device {}", decision.certificate_serial(),
                         decision.device_id());
    case org::v1::TRUST_STATE_NOT_TRUSTED: {
      std::string line = fmt::format("not trusted: {}", rpc::ReasonName(decision.trust_reason()));
      if (!decision.certificate_serial().empty()) {
        line += fmt::format(", certificate {}", decision.certificate_serial());
      }
      if (decision.has_certificate_revoked_at()) {
        line += fmt::format(", revoked {}", FormatTime(decision.certificate_revoked_at()));
      }
      return line;
    }
    default:
      return "not asked for: Device Trust is off";
  }
}

std::string RuleLines(const RuleTrace& rule) {
  std::string out = fmt::format("  rule {}  {}", rule.index(), Printable(rule.name()));
  if (!rule.active()) return out + "\n          not active\n";
  out += rule.matched() ? "\n          matches, and decides\n" : "\n          does not match\n";
  for (const ConditionTrace& condition : rule.conditions()) {
    out += fmt::format("          {} {:<13} wants {}; is {}\n", condition.matched() ? "+" : "-",
                       condition.condition(), Printable(condition.wanted()),
                       Printable(condition.seen()));
  }
  return out;
}

std::string Who(const Event& event) {
  const org::v1::Actor& actor = event.actor();
  return actor.display_name().empty() ? actor.id() : actor.display_name();
}

std::string What(const Event& event) {
  std::string out;
  for (const org::v1::Target& target : event.targets()) {
    out += out.empty() ? "" : ", ";
    out += target.display_name().empty() ? target.id() : target.display_name();
  }
  return out;
}

std::string OnOff(bool on) { return on ? "on" : "off"; }

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;  // One shape, whatever the values.
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  return status.ok() ? out : "{}";
}

std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string PersonText(const org::v1::User& user) {
  if (user.display_name().empty()) return Printable(user.principal());
  return Printable(fmt::format("{} ({})", user.display_name(), user.principal()));
}

std::string EventLine(const Event& event) {
  std::string line = fmt::format("{}  {:<32} {:<9} {}", FormatTime(event.at()), event.type(),
                                 rpc::EnumName(event.outcome().result()), Who(event));
  if (const std::string what = What(event); !what.empty()) line += " → " + what;
  if (!event.outcome().reason().empty()) line += "  " + event.outcome().reason();
  for (const auto& [key, word] : {std::pair("device_id", "device"), std::pair("code", "code")}) {
    const auto found = event.debug_data().find(key);
    if (found != event.debug_data().end()) line += fmt::format("  {} {}", word, found->second);
  }
  return Printable(std::move(line));
}

std::string SettingsText(const org::v1::OrgSettings& settings) {
  const bool effective = settings.device_trust_enabled() && settings.capability_enabled();
  std::string out = fmt::format("Device Trust  {}", OnOff(settings.device_trust_enabled()));
  if (!settings.device_trust_changed_by().empty()) {
    out += fmt::format(", since {} by {}", FormatTime(settings.device_trust_changed_at()),
                       settings.device_trust_changed_by());
  }
  out += fmt::format(
      "\ncapability    {}\nin force      {}\nLearn more    {}\n"
      "read-only     {}\nAD            {}\n",
      OnOff(settings.capability_enabled()), effective ? "yes" : "no",
      settings.learn_more_url().empty() ? "not set" : settings.learn_more_url(),
      settings.read_only() ? "yes: nobody can enroll" : "no",
      settings.ad_integration_active()
          ? fmt::format("{}, active", fmt::join(settings.ad_domains(), ", "))
          : "not active: nobody can enroll");
  if (settings.disabled_while_in_use()) {
    out +=
        "warning: switched off by force while rules ask for trust. Those rules match nobody, and\n"
        "         refused users see no security message. Mend: dtctl device-trust on\n";
  }
  return out;
}

std::string DecisionText(const Decision& decision) {
  std::string out = fmt::format("{}  {} by rule {} \"{}\"  {}\n\n", decision.code(),
                                OutcomeWord(decision.outcome()), decision.rule_index(),
                                Printable(decision.rule_name()), FormatTime(decision.at()));
  out += fmt::format("  who     {}\n", PersonText(decision.user()));
  out += fmt::format("  app     {} ({})\n", Printable(decision.app_label()), decision.app_id());
  const bool verified = decision.verified_platform() != org::v1::PLATFORM_KIND_UNSPECIFIED;
  out += fmt::format(
      "  from    {}, {} on {} (by {})\n", decision.client().address(),
      ClientWord(decision.client_kind()),
      PlatformWord(verified ? decision.verified_platform() : decision.claimed_platform()),
      verified ? "directory" : "user agent");
  out += fmt::format("  device  {}\n", TrustLine(decision));
  if (decision.has_factor_completed_at()) {
    out += fmt::format("  factor  passed {}\n", FormatTime(decision.factor_completed_at()));
  }
  out += "\n";
  for (const RuleTrace& rule : decision.rules()) out += RuleLines(rule);
  if (!decision.remedy().empty()) out += fmt::format("\nWhat to do: {}\n", decision.remedy());
  return out;
}

std::string ErrorText(const absl::Status& status) {
  std::string out = fmt::format("dtctl: {}", std::string(status.message()));
  const auto detail = rpc::DetailOf(status);
  if (!detail.has_value()) return Printable(std::move(out)) + "\n";
  if (detail->reason() != reason::v1::REASON_UNSPECIFIED) {
    out += fmt::format("  [{}]", rpc::ReasonName(detail->reason()));
  }
  out = Printable(std::move(out)) + "\n";
  if (!detail->remedy().empty()) out += "       " + Printable(detail->remedy()) + "\n";
  if (detail->has_retry_after()) {
    out += fmt::format("       Try again in {} s.\n", detail->retry_after().seconds());
  }
  return out;
}

}  // namespace devicetrust::ctl
