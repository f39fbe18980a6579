#include "policy-engine/org/settings_edit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "libs/base/ascii.h"
#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/org/learn_more.h"
#include "policy-engine/org/name_id_format.h"
#include "policy-engine/sessions/session_limits.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kAdDomainsMax = 64;
constexpr std::size_t kDisplayNameBytesMax = 64;
constexpr std::size_t kSettingBytesShown = 2048;  // Of a setting's value, in the System Log.

std::string OnOff(bool on) { return on ? "on" : "off"; }

// Empty: what is usual.
std::string LimitText(const google::protobuf::Duration& limit) {
  return limit.seconds() == 0 ? "" : fmt::format("{} min", limit.seconds() / 60);
}

std::string FirstOf(const std::vector<std::string>& rules) {
  constexpr std::size_t kShown = 10;
  const std::span<const std::string> first(rules.data(), std::min(rules.size(), kShown));
  const std::size_t more = rules.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, "; "),
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

// What an edit changes, each with what it was: "Device Trust from off to on".
std::vector<v1::Target> ChangesOf(const v1::OrgSettings& before, const v1::OrgSettings& after,
                                  bool by_force) {
  std::vector<v1::Target> changes;
  const auto compare = [&changes](const char* id, std::string_view name, const std::string& from,
                                  const std::string& to, std::string_view how = "") {
    if (from == to) return;
    const auto shown = [](const std::string& value) {
      return value.empty() ? "none" : CutText(value, kSettingBytesShown);
    };
    v1::Target& change = changes.emplace_back();
    change.set_type("Setting");
    change.set_id(id);
    change.set_display_name(fmt::format("{} from {} to {}{}", name, shown(from), shown(to), how));
  };
  compare("device_trust", "Device Trust", OnOff(before.device_trust_enabled()),
          OnOff(after.device_trust_enabled()), by_force ? ", by force" : "");
  compare("learn_more_url", "Learn more", before.learn_more_url(), after.learn_more_url());
  compare("capability", "capability", OnOff(before.capability_enabled()),
          OnOff(after.capability_enabled()));
  compare("read_only", "read-only", OnOff(before.read_only()), OnOff(after.read_only()));
  compare("ad_integration", "AD integration", OnOff(before.ad_integration_active()),
          OnOff(after.ad_integration_active()));
  compare("ad_domains", "AD domains", fmt::format("{}", fmt::join(before.ad_domains(), ", ")),
          fmt::format("{}", fmt::join(after.ad_domains(), ", ")));
  compare("display_name", "name", before.display_name(), after.display_name());
  compare("session_lifetime", "session lifetime", LimitText(before.session_lifetime()),
          LimitText(after.session_lifetime()));
  compare("session_idle_timeout", "session idle timeout", LimitText(before.session_idle_timeout()),
          LimitText(after.session_idle_timeout()));
  compare("factor_self_enrollment", "self-enrollment of second factors",
          OnOff(before.factor_self_enrollment()), OnOff(after.factor_self_enrollment()));
  compare("iwa_primary_only", "primary IWAs alone", OnOff(before.iwa_primary_only()),
          OnOff(after.iwa_primary_only()));
  compare("default_name_id_format", "NameID format", before.default_name_id_format(),
          after.default_name_id_format());
  return changes;
}

absl::Status MalformedSetting(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

absl::Status MalformedDomains() {
  return MalformedSetting(
      fmt::format("an active integration has 1 to {} domains, each by a DNS name such as "
                  "corp.example.com",
                  kAdDomainsMax),
      "domains");
}

// In whole minutes, so that every form of a setting says the same.
absl::Status CheckSessionLimit(const google::protobuf::Duration& limit, const char* field) {
  const std::chrono::seconds value(limit.seconds());
  const bool usual = limit.seconds() == 0 && limit.nanos() == 0;
  const bool within = limit.nanos() == 0 && limit.seconds() % 60 == 0 &&
                      value >= kSessionLimitMin && value <= kSessionLimitMax;
  if (usual || within) return absl::OkStatus();
  return MalformedSetting("a limit of sessions is 5 minutes to 7 days, in whole minutes", field);
}

void EditSessions(const v1::PolicySettings& wish, v1::OrgSettings& settings) {
  if (wish.has_session_lifetime()) {
    settings.clear_session_lifetime();
    if (const std::int64_t seconds = wish.session_lifetime().seconds(); seconds != 0) {
      settings.mutable_session_lifetime()->set_seconds(seconds);
    }
  }
  if (wish.has_session_idle_timeout()) {
    settings.clear_session_idle_timeout();
    if (const std::int64_t seconds = wish.session_idle_timeout().seconds(); seconds != 0) {
      settings.mutable_session_idle_timeout()->set_seconds(seconds);
    }
  }
  if (wish.has_factor_self_enrollment()) {
    settings.set_factor_self_enrollment(wish.factor_self_enrollment());
  }
}

absl::Status EditAdIntegration(const v1::PolicySettings& wish, v1::OrgSettings& settings) {
  if (wish.has_ad_integration_active()) {
    settings.set_ad_integration_active(wish.ad_integration_active());
  }
  if (!wish.ad_domains().empty()) *settings.mutable_ad_domains() = wish.ad_domains();
  const bool missing = wish.ad_integration_active() && settings.ad_domains().empty();
  return missing ? MalformedDomains() : absl::OkStatus();
}

absl::Status EditDeviceTrust(const SettingsWish& wish, const std::vector<std::string>& in_use,
                             OrgEdit::Settings& edited, std::vector<std::string>& warnings) {
  if (!wish.settings.has_device_trust_enabled()) return absl::OkStatus();
  const bool enabled = wish.settings.device_trust_enabled();
  const bool switches_off = edited.settings.device_trust_enabled() && !enabled;
  if (switches_off && !in_use.empty() && !wish.force) {
    return rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_SETTING_IN_USE,
        fmt::format("Device Trust can't be switched off while {} active rules use it: {}",
                    in_use.size(), FirstOf(in_use)),
        "device_trust",
        "Set device trust to Any in these rules first, or force it: users of untrusted devices "
        "then see neither the security message nor Learn more.");
  }
  if (switches_off) {
    edited.disabled_by_force = !in_use.empty();
    for (const std::string& rule : in_use) {
      warnings.push_back(fmt::format(
          "{} still names device trust: it can't match now, and who is refused sees no security "
          "message",
          rule));
    }
  } else if (enabled) {
    edited.disabled_by_force = false;
  }
  edited.settings.set_device_trust_enabled(enabled);
  return absl::OkStatus();
}

bool InForce(const v1::OrgSettings& settings) {
  return settings.device_trust_enabled() && settings.capability_enabled();
}

}  // namespace

absl::Status CheckSettings(const v1::PolicySettings& wish) {
  if (!wish.learn_more_url().empty()) {
    const absl::Status valid = ValidateLearnMoreUrl(wish.learn_more_url());
    if (!valid.ok()) return MalformedSetting(std::string(valid.message()), "learn_more_url");
  }
  // Authenticator apps show it before a colon.
  const std::string& name = wish.display_name();
  if (name.size() > kDisplayNameBytesMax || HasControl(name) || name.starts_with(' ') ||
      name.ends_with(' ') || name.find(':') != name.npos) {
    return MalformedSetting(
        fmt::format("a name has at most {} bytes, no colon, no control characters, and no blank at "
                    "either end",
                    kDisplayNameBytesMax),
        "display_name");
  }
  DT_RETURN_IF_ERROR(CheckSessionLimit(wish.session_lifetime(), "session_lifetime"));
  DT_RETURN_IF_ERROR(CheckSessionLimit(wish.session_idle_timeout(), "session_idle_timeout"));
  if (!IsNameIdFormatOrEmpty(wish.default_name_id_format())) {
    return MalformedSetting(
        fmt::format("a NameID format is one of {}", fmt::join(kNameIdFormats, ", ")),
        "default_name_id_format");
  }
  const auto& domains = wish.ad_domains();
  const bool named = domains.size() <= kAdDomainsMax && std::ranges::all_of(domains, IsDnsName);
  return named ? absl::OkStatus() : MalformedDomains();
}

absl::Status EditSettings(const SettingsWish& wish, const OrgState& before,
                          const OrgState& rules_after, OrgEdit& edit) {
  DT_RETURN_IF_ERROR(CheckSettings(wish.settings));
  const std::vector<std::string> in_use = rules_after.RulesNamingTrust();
  OrgEdit::Settings edited{before.settings, before.disabled_by_force};
  v1::OrgSettings& settings = edited.settings;
  DT_RETURN_IF_ERROR(EditDeviceTrust(wish, in_use, edited, edit.warnings));
  if (wish.settings.has_learn_more_url()) {
    settings.set_learn_more_url(wish.settings.learn_more_url());
  }
  const bool device_trust_changes =
      edited.disabled_by_force != before.disabled_by_force ||
      settings.device_trust_enabled() != before.settings.device_trust_enabled() ||
      settings.learn_more_url() != before.settings.learn_more_url();
  if (device_trust_changes) {
    settings.set_device_trust_changed_by(wish.changed_by);
    *settings.mutable_device_trust_changed_at() = rpc::ToTimestamp(wish.now);
  }
  if (wish.settings.has_capability_enabled()) {
    settings.set_capability_enabled(wish.settings.capability_enabled());
  }
  if (wish.settings.has_read_only()) settings.set_read_only(wish.settings.read_only());
  if (wish.settings.has_display_name()) settings.set_display_name(wish.settings.display_name());
  EditSessions(wish.settings, settings);
  if (wish.settings.has_default_name_id_format()) {
    settings.set_default_name_id_format(wish.settings.default_name_id_format());
  }
  if (wish.settings.has_iwa_primary_only()) {
    settings.set_iwa_primary_only(wish.settings.iwa_primary_only());
  }
  DT_RETURN_IF_ERROR(EditAdIntegration(wish.settings, settings));

  if (InForce(settings) && !InForce(before.settings)) {
    for (const std::string& rule : in_use) {
      edit.warnings.push_back(
          fmt::format("{} names device trust and is in force from now on", rule));
    }
  }
  const bool same = edited.disabled_by_force == before.disabled_by_force &&
                    settings.SerializeAsString() == before.settings.SerializeAsString();
  if (same) return absl::OkStatus();
  for (v1::Target& target : ChangesOf(before.settings, settings, edited.disabled_by_force)) {
    edit.targets.push_back(std::move(target));
  }
  edit.settings = std::move(edited);
  return absl::OkStatus();
}

v1::PolicySettings PolicySettingsOf(const v1::OrgSettings& settings) {
  v1::PolicySettings policy;
  policy.set_display_name(settings.display_name());
  policy.set_default_name_id_format(settings.default_name_id_format());
  policy.set_device_trust_enabled(settings.device_trust_enabled());
  policy.set_learn_more_url(settings.learn_more_url());
  policy.set_capability_enabled(settings.capability_enabled());
  policy.set_read_only(settings.read_only());
  policy.set_ad_integration_active(settings.ad_integration_active());
  *policy.mutable_ad_domains() = settings.ad_domains();
  // Said also where they are usual, so that a document puts them back.
  policy.mutable_session_lifetime()->set_seconds(settings.session_lifetime().seconds());
  policy.mutable_session_idle_timeout()->set_seconds(settings.session_idle_timeout().seconds());
  policy.set_factor_self_enrollment(settings.factor_self_enrollment());
  policy.set_iwa_primary_only(settings.iwa_primary_only());
  return policy;
}

}  // namespace devicetrust::policy
