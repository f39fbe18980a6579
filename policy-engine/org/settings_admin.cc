#include "policy-engine/org/settings_admin.h"

#include <fmt/format.h>

#include <utility>

#include "libs/rpc/error.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

absl::Status CheckVersion(std::int64_t expected, const OrgState& before) {
  if (expected == 0 || expected == before.version) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kAborted, reason::v1::REASON_CONFLICTING_STATE,
                        fmt::format("the org is at version {}, not at {}: somebody changed it",
                                    before.version, expected),
                        {}, "Look at it again, and apply the change to what it is now.");
}

v1::GetSettingsResponse SettingsAdmin::Get() const {
  const auto state = store_.state();
  v1::GetSettingsResponse response;
  *response.mutable_settings() = state->settings;
  response.set_version(state->version);
  return response;
}

template <typename Response>
absl::StatusOr<Response> SettingsAdmin::Apply(const rpc::Caller& admin,
                                              const v1::PolicySettings& wish,
                                              std::int64_t expected_version, bool force) {
  const WallTime now = clock_.Now();
  v1::Event event = EventBuilder("org.settings.change", "Change of an org setting", now)
                        .Actor(admin)
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckVersion(expected_version, before));
    return EditSettings({wish, force, admin.ToString(), now}, before, before, edit);
  };
  DT_ASSIGN_OR_RETURN(const OrgStore::Effect effect, store_.Change(std::move(event), change));
  const auto state = store_.state();
  Response response;
  *response.mutable_settings() = state->settings;
  response.set_version(state->version);
  if constexpr (requires { response.add_warnings(); }) {
    for (const std::string& warning : effect.warnings) response.add_warnings(warning);
  }
  return response;
}

absl::StatusOr<v1::SetDeviceTrustResponse> SettingsAdmin::SetDeviceTrust(
    const rpc::Caller& admin, const v1::SetDeviceTrustRequest& request) {
  v1::PolicySettings wish;
  wish.set_device_trust_enabled(request.enabled());
  if (request.has_learn_more_url()) wish.set_learn_more_url(request.learn_more_url());
  return Apply<v1::SetDeviceTrustResponse>(admin, wish, request.expected_version(),
                                           request.force());
}

absl::StatusOr<v1::SetCapabilityResponse> SettingsAdmin::SetCapability(
    const rpc::Caller& admin, const v1::SetCapabilityRequest& request) {
  v1::PolicySettings wish;
  wish.set_capability_enabled(request.enabled());
  return Apply<v1::SetCapabilityResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetReadOnlyResponse> SettingsAdmin::SetReadOnly(
    const rpc::Caller& admin, const v1::SetReadOnlyRequest& request) {
  v1::PolicySettings wish;
  wish.set_read_only(request.read_only());
  return Apply<v1::SetReadOnlyResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetAdIntegrationResponse> SettingsAdmin::SetAdIntegration(
    const rpc::Caller& admin, const v1::SetAdIntegrationRequest& request) {
  v1::PolicySettings wish;
  wish.set_ad_integration_active(request.active());
  *wish.mutable_ad_domains() = request.domains();
  return Apply<v1::SetAdIntegrationResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetDisplayNameResponse> SettingsAdmin::SetDisplayName(
    const rpc::Caller& admin, const v1::SetDisplayNameRequest& request) {
  v1::PolicySettings wish;
  wish.set_display_name(request.display_name());
  return Apply<v1::SetDisplayNameResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetSessionLimitsResponse> SettingsAdmin::SetSessionLimits(
    const rpc::Caller& admin, const v1::SetSessionLimitsRequest& request) {
  v1::PolicySettings wish;
  if (request.has_lifetime()) *wish.mutable_session_lifetime() = request.lifetime();
  if (request.has_idle_timeout()) {
    *wish.mutable_session_idle_timeout() = request.idle_timeout();
  }
  return Apply<v1::SetSessionLimitsResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetFactorSelfEnrollmentResponse> SettingsAdmin::SetFactorSelfEnrollment(
    const rpc::Caller& admin, const v1::SetFactorSelfEnrollmentRequest& request) {
  v1::PolicySettings wish;
  wish.set_factor_self_enrollment(request.enabled());
  return Apply<v1::SetFactorSelfEnrollmentResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetIwaFailoverResponse> SettingsAdmin::SetIwaFailover(
    const rpc::Caller& admin, const v1::SetIwaFailoverRequest& request) {
  v1::PolicySettings wish;
  wish.set_iwa_primary_only(request.primary_only());
  return Apply<v1::SetIwaFailoverResponse>(admin, wish, request.expected_version());
}

absl::StatusOr<v1::SetDefaultNameIdFormatResponse> SettingsAdmin::SetDefaultNameIdFormat(
    const rpc::Caller& admin, const v1::SetDefaultNameIdFormatRequest& request) {
  v1::PolicySettings wish;
  wish.set_default_name_id_format(request.format());
  return Apply<v1::SetDefaultNameIdFormatResponse>(admin, wish, request.expected_version());
}

}  // namespace devicetrust::policy
