#include "policy-engine/org/settings_admin.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/org/learn_more.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kAdDomainsMax = 64;
constexpr std::size_t kSettingBytesShown = 2048;  // Of a setting's value, in the System Log.

std::string OnOff(bool on) { return on ? "on" : "off"; }

std::string FirstOf(const std::vector<std::string>& rules) {
  constexpr std::size_t kShown = 10;
  const std::span<const std::string> first(rules.data(), std::min(rules.size(), kShown));
  const std::size_t more = rules.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, "; "),
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

// What switching Device Trust or its capability on puts in force.
std::vector<std::string> InForce(const OrgState& before) {
  std::vector<std::string> warnings;
  for (const std::string& rule : before.RulesNamingTrust()) {
    warnings.push_back(fmt::format("{} names device trust and is in force from now on", rule));
  }
  return warnings;
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
  return changes;
}

// An answer with the settings and, where it has them, the warnings of an edit.
template <typename Response, typename Edit>
absl::StatusOr<Response> SettingsAnswer(const absl::StatusOr<Edit>& edit) {
  if (!edit.ok()) return edit.status();
  Response response;
  *response.mutable_settings() = edit->settings;
  if constexpr (requires { response.add_warnings(); }) {
    for (const std::string& warning : edit->warnings) response.add_warnings(warning);
  }
  return response;
}

absl::Status MalformedSetting(std::string message, std::string subject) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), std::move(subject));
}

}  // namespace

v1::GetSettingsResponse SettingsAdmin::Get() const {
  v1::GetSettingsResponse response;
  *response.mutable_settings() = store_.state()->settings;
  return response;
}

absl::StatusOr<SettingsAdmin::Edit> SettingsAdmin::Apply(const rpc::Caller& admin,
                                                         const EditFn& edit) {
  v1::Event event = EventBuilder("org.settings.change", "Change of an org setting", clock_.Now())
                        .Actor(admin)
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  const auto change = [&](db::Transaction& txn,
                          const OrgState& before) -> absl::StatusOr<OrgStore::Effect> {
    Edit edited{before.settings, before.disabled_by_force, {}};
    DT_RETURN_IF_ERROR(edit(edited, before));
    const bool same = edited.disabled_by_force == before.disabled_by_force &&
                      edited.settings.SerializeAsString() == before.settings.SerializeAsString();
    std::vector<v1::Target> targets =
        ChangesOf(before.settings, edited.settings, edited.disabled_by_force);
    if (!same) DT_RETURN_IF_ERROR(WriteSettings(txn, edited.settings, edited.disabled_by_force));
    return OrgStore::Effect{!same, std::move(edited.warnings), std::move(targets)};
  };
  DT_ASSIGN_OR_RETURN(OrgStore::Effect effect, store_.Change(std::move(event), change));
  const auto state = store_.state();
  return Edit{state->settings, state->disabled_by_force, std::move(effect.warnings)};
}

absl::Status SettingsAdmin::EditDeviceTrust(const rpc::Caller& admin,
                                            const v1::SetDeviceTrustRequest& request, Edit& edit,
                                            const OrgState& before) const {
  const std::vector<std::string> in_use = before.RulesNamingTrust();
  const bool switches_off = edit.settings.device_trust_enabled() && !request.enabled();
  if (switches_off && !in_use.empty() && !request.force()) {
    return rpc::MakeError(
        absl::StatusCode::kFailedPrecondition, reason::v1::REASON_SETTING_IN_USE,
        fmt::format("Device Trust can't be switched off while {} active rules use it: {}",
                    in_use.size(), FirstOf(in_use)),
        "device_trust",
        "Set device trust to Any in these rules first, or force it: users of untrusted devices "
        "then see neither the security message nor Learn more.");
  }
  if (switches_off) {
    edit.disabled_by_force = !in_use.empty();
    for (const std::string& rule : in_use) {
      edit.warnings.push_back(fmt::format(
          "{} still names device trust: it can't match now, and who is refused sees no security "
          "message",
          rule));
    }
  } else if (request.enabled()) {
    edit.disabled_by_force = false;
    if (!before.settings.device_trust_enabled()) edit.warnings = InForce(before);
  }
  edit.settings.set_device_trust_enabled(request.enabled());
  if (request.has_learn_more_url()) edit.settings.set_learn_more_url(request.learn_more_url());
  const bool same = edit.disabled_by_force == before.disabled_by_force &&
                    request.enabled() == before.settings.device_trust_enabled() &&
                    edit.settings.learn_more_url() == before.settings.learn_more_url();
  if (same) return absl::OkStatus();
  edit.settings.set_device_trust_changed_by(admin.ToString());
  *edit.settings.mutable_device_trust_changed_at() = rpc::ToTimestamp(clock_.Now());
  return absl::OkStatus();
}

absl::StatusOr<v1::SetDeviceTrustResponse> SettingsAdmin::SetDeviceTrust(
    const rpc::Caller& admin, const v1::SetDeviceTrustRequest& request) {
  if (request.has_learn_more_url() && !request.learn_more_url().empty()) {
    const absl::Status valid = ValidateLearnMoreUrl(request.learn_more_url());
    if (!valid.ok()) return MalformedSetting(std::string(valid.message()), "learn_more_url");
  }
  return SettingsAnswer<v1::SetDeviceTrustResponse>(
      Apply(admin, [&](Edit& edit, const OrgState& before) {
        return EditDeviceTrust(admin, request, edit, before);
      }));
}

absl::StatusOr<v1::SetCapabilityResponse> SettingsAdmin::SetCapability(
    const rpc::Caller& admin, const v1::SetCapabilityRequest& request) {
  return SettingsAnswer<v1::SetCapabilityResponse>(
      Apply(admin, [&](Edit& edit, const OrgState& before) {
        const bool switches_on = request.enabled() && !before.settings.capability_enabled();
        if (switches_on && before.settings.device_trust_enabled()) edit.warnings = InForce(before);
        edit.settings.set_capability_enabled(request.enabled());
        return absl::OkStatus();
      }));
}

absl::StatusOr<v1::SetReadOnlyResponse> SettingsAdmin::SetReadOnly(
    const rpc::Caller& admin, const v1::SetReadOnlyRequest& request) {
  return SettingsAnswer<v1::SetReadOnlyResponse>(
      Apply(admin, [&](Edit& edit, const OrgState& /*before*/) {
        edit.settings.set_read_only(request.read_only());
        return absl::OkStatus();
      }));
}

absl::StatusOr<v1::SetAdIntegrationResponse> SettingsAdmin::SetAdIntegration(
    const rpc::Caller& admin, const v1::SetAdIntegrationRequest& request) {
  const auto& domains = request.domains();
  const absl::Status malformed = MalformedSetting(
      fmt::format("an active integration has 1 to {} domains, each by a DNS name such as "
                  "corp.example.com",
                  kAdDomainsMax),
      "domains");
  if (domains.size() > kAdDomainsMax || !std::ranges::all_of(domains, IsDnsName)) return malformed;
  return SettingsAnswer<v1::SetAdIntegrationResponse>(
      Apply(admin, [&](Edit& edit, const OrgState& /*before*/) {
        edit.settings.set_ad_integration_active(request.active());
        if (!domains.empty()) *edit.settings.mutable_ad_domains() = domains;
        const bool missing = request.active() && edit.settings.ad_domains().empty();
        return missing ? malformed : absl::OkStatus();
      }));
}

}  // namespace devicetrust::policy
