// Changes of the org's network zones by an admin: checked, stored, logged.
#pragma once

#include "devicetrust/org/v1/zones.pb.h"
#include "libs/base/clock.h"
#include "libs/rpc/caller.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

inline constexpr int kZonesMax = 200;

// Thread-safe.
class ZoneAdmin {
 public:
  ZoneAdmin(OrgStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  // The contract (devicetrust.org.v1.ZoneService) says what each does and refuses.
  org::v1::GetZonesResponse GetZones() const;
  absl::StatusOr<org::v1::SetZonesResponse> SetZones(const rpc::Caller& admin,
                                                     const org::v1::SetZonesRequest& request);

 private:
  OrgStore& store_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
