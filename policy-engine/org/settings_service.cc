#include "policy-engine/org/settings_service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "libs/rpc/status.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/org/learn_more.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr int kAdDomainsMax = 64;

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

}  // namespace

grpc::Status SettingsService::GetSettings(grpc::ServerContext* /*context*/,
                                          const v1::GetSettingsRequest* /*request*/,
                                          v1::GetSettingsResponse* response) {
  *response->mutable_settings() = store_.state()->settings;
  return grpc::Status::OK;
}

absl::StatusOr<SettingsService::Edit> SettingsService::Apply(const grpc::ServerContext* context,
                                                             const std::string& what,
                                                             const std::string& value,
                                                             const EditFn& edit) {
  DT_ASSIGN_OR_RETURN(const rpc::Caller caller, RequireAdmin(caller_, context));
  v1::Event event = EventBuilder("org.settings.change", "Change of an org setting", clock_.Now())
                        .Actor(caller)
                        .Target("Setting", what, value)
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  Edit edited;
  bool same = false;
  const absl::Status changed = store_.Change(
      std::move(event), [&](db::Transaction& txn, const OrgState& before) -> absl::Status {
        edited = Edit{before.settings, before.forced_off, {}};
        DT_RETURN_IF_ERROR(edit(edited, before, caller));
        same = edited.forced_off == before.forced_off &&
               edited.settings.SerializeAsString() == before.settings.SerializeAsString();
        if (same) return absl::AlreadyExistsError("nothing to change, and no event of it");
        return WriteSettings(txn, edited.settings, edited.forced_off);
      });
  if (!same) DT_RETURN_IF_ERROR(changed);
  edited.settings = store_.state()->settings;
  return edited;
}

absl::Status SettingsService::EditDeviceTrust(const v1::SetDeviceTrustRequest& request, Edit& edit,
                                              const OrgState& before,
                                              const rpc::Caller& caller) const {
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
    edit.forced_off = !in_use.empty();
    for (const std::string& rule : in_use) {
      edit.warnings.push_back(fmt::format(
          "{} still names device trust: it can't match now, and who is refused sees no security "
          "message",
          rule));
    }
  } else if (request.enabled()) {
    edit.forced_off = false;
    if (!before.settings.device_trust_enabled()) edit.warnings = InForce(before);
  }
  edit.settings.set_device_trust_enabled(request.enabled());
  if (request.has_learn_more_url()) edit.settings.set_learn_more_url(request.learn_more_url());
  const bool same = edit.forced_off == before.forced_off &&
                    request.enabled() == before.settings.device_trust_enabled() &&
                    edit.settings.learn_more_url() == before.settings.learn_more_url();
  if (same) return absl::OkStatus();
  edit.settings.set_device_trust_changed_by(caller.ToString());
  *edit.settings.mutable_device_trust_changed_at() = rpc::ToTimestamp(clock_.Now());
  return absl::OkStatus();
}

grpc::Status SettingsService::SetDeviceTrust(grpc::ServerContext* context,
                                             const v1::SetDeviceTrustRequest* request,
                                             v1::SetDeviceTrustResponse* response) {
  if (request->has_learn_more_url() && !request->learn_more_url().empty()) {
    const absl::Status valid = ValidateLearnMoreUrl(request->learn_more_url());
    if (!valid.ok()) {
      return rpc::ToGrpc(rpc::MakeError(valid.code(), reason::v1::REASON_MALFORMED_REQUEST,
                                        std::string(valid.message()), "learn_more_url"));
    }
  }
  const std::string value = request->enabled() ? "on" : request->force() ? "off, forced" : "off";
  const auto edited = Apply(context, "device_trust", value,
                            [&](Edit& edit, const OrgState& before, const rpc::Caller& caller) {
                              return EditDeviceTrust(*request, edit, before, caller);
                            });
  if (!edited.ok()) return rpc::ToGrpc(rpc::StoreError(edited.status()));
  *response->mutable_settings() = edited->settings;
  for (const std::string& warning : edited->warnings) response->add_warnings(warning);
  return grpc::Status::OK;
}

grpc::Status SettingsService::SetCapability(grpc::ServerContext* context,
                                            const v1::SetCapabilityRequest* request,
                                            v1::SetCapabilityResponse* response) {
  const auto edited = Apply(context, "capability", OnOff(request->enabled()),
                            [&](Edit& edit, const OrgState& before, const rpc::Caller& /*caller*/) {
                              const bool switches_on =
                                  request->enabled() && !before.settings.capability_enabled();
                              if (switches_on && before.settings.device_trust_enabled()) {
                                edit.warnings = InForce(before);
                              }
                              edit.settings.set_capability_enabled(request->enabled());
                              return absl::OkStatus();
                            });
  if (!edited.ok()) return rpc::ToGrpc(rpc::StoreError(edited.status()));
  *response->mutable_settings() = edited->settings;
  for (const std::string& warning : edited->warnings) response->add_warnings(warning);
  return grpc::Status::OK;
}

grpc::Status SettingsService::SetReadOnly(grpc::ServerContext* context,
                                          const v1::SetReadOnlyRequest* request,
                                          v1::SetReadOnlyResponse* response) {
  const auto edited =
      Apply(context, "read_only", OnOff(request->read_only()),
            [&](Edit& edit, const OrgState& /*before*/, const rpc::Caller& /*caller*/) {
              edit.settings.set_read_only(request->read_only());
              return absl::OkStatus();
            });
  if (!edited.ok()) return rpc::ToGrpc(rpc::StoreError(edited.status()));
  *response->mutable_settings() = edited->settings;
  return grpc::Status::OK;
}

grpc::Status SettingsService::SetAdIntegration(grpc::ServerContext* context,
                                               const v1::SetAdIntegrationRequest* request,
                                               v1::SetAdIntegrationResponse* response) {
  const auto& domains = request->domains();
  const bool missing = request->active() && domains.empty();
  if (missing || domains.size() > kAdDomainsMax || !std::ranges::all_of(domains, IsDnsName)) {
    return rpc::ToGrpc(rpc::MakeError(
        absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
        fmt::format("an active integration has 1 to {} domains, each by a DNS name such as "
                    "corp.example.com",
                    kAdDomainsMax),
        "domains"));
  }
  const auto edited =
      Apply(context, "ad_integration", OnOff(request->active()),
            [&](Edit& edit, const OrgState& /*before*/, const rpc::Caller& /*caller*/) {
              edit.settings.set_ad_integration_active(request->active());
              if (!domains.empty()) *edit.settings.mutable_ad_domains() = domains;
              return absl::OkStatus();
            });
  if (!edited.ok()) return rpc::ToGrpc(rpc::StoreError(edited.status()));
  *response->mutable_settings() = edited->settings;
  return grpc::Status::OK;
}

}  // namespace devicetrust::policy
