#include "policy-engine/apps/zone_admin.h"

#include <fmt/format.h>

#include <utility>

#include "libs/rpc/error.h"
#include "policy-engine/apps/versioned_change.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

absl::Status ZonesError(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), "zones");
}

}  // namespace

v1::GetZonesResponse ZoneAdmin::GetZones() const {
  const auto state = store_.state();
  v1::GetZonesResponse response;
  *response.mutable_zones() = state->zone_messages;
  response.set_version(state->version);
  return response;
}

absl::StatusOr<v1::SetZonesResponse> ZoneAdmin::SetZones(const rpc::Caller& admin,
                                                         const v1::SetZonesRequest& request) {
  if (request.zones_size() > kZonesMax) {
    return ZonesError(fmt::format("an org has at most {} zones", kZonesMax));
  }
  for (const v1::Zone& zone : request.zones()) {
    const absl::Status spelling =
        CheckSpelling({zone.name(), {zone.cidr().begin(), zone.cidr().end()}});
    if (!spelling.ok()) return ZonesError(std::string(spelling.message()));
  }
  const auto zones = ZonesFromMessages(request.zones());
  if (!zones.ok()) return ZonesError(std::string(zones.status().message()));
  v1::Event event = EventBuilder("org.zones.change", "Network zones changed", clock_.Now())
                        .Actor(admin)
                        .Target("Setting", "zones", fmt::format("{} zones", zones->size()))
                        .Outcome(v1::EventOutcome::RESULT_SUCCESS)
                        .Take();
  const auto change = [&](const OrgState& before, OrgEdit& edit) -> absl::Status {
    DT_RETURN_IF_ERROR(CheckVersion(request.expected_version(), before));
    for (const auto& [id, app] : before.apps) {
      // A rule may name a zone that is about to go.
      DT_RETURN_IF_ERROR(CheckRules(app.app, app.rules, *zones));
    }
    edit.zones = request.zones();
    return absl::OkStatus();
  };
  DT_RETURN_IF_ERROR(store_.Change(std::move(event), change).status());
  v1::SetZonesResponse response;
  response.set_version(store_.state()->version);
  return response;
}

}  // namespace devicetrust::policy
