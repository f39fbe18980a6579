// Changes of apps, rules and zones by an admin: checked, stored, logged.
#pragma once

#include "devicetrust/org/v1/policy.pb.h"
#include "libs/base/clock.h"
#include "libs/rpc/caller.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

inline constexpr std::size_t kAppsMax = 5000;
inline constexpr int kAcsPerAppMax = 64;
inline constexpr int kSigningCertificatesMax = 16;
inline constexpr int kZonesMax = 200;
// Of all apps with their rules: gateways get them in one message, of 16 MiB at most.
inline constexpr std::size_t kAppsBytesMax = 12 << 20;

// Checks what is registered of an app, rules aside. kInvalidArgument, MALFORMED_REQUEST: the
// subject names the field.
absl::Status ValidateApp(const org::v1::App& app);

// Thread-safe.
class AppAdmin {
 public:
  AppAdmin(OrgStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  // The contract (devicetrust.org.v1.Policy) says what each does and refuses.
  absl::StatusOr<org::v1::App> PutApp(const rpc::Caller& admin,
                                      const org::v1::PutAppRequest& request);
  absl::StatusOr<org::v1::App> SetRules(const rpc::Caller& admin,
                                        const org::v1::SetRulesRequest& request);
  absl::Status SetZones(const rpc::Caller& admin, const org::v1::SetZonesRequest& request);

 private:
  absl::StatusOr<org::v1::App> Stored(const std::string& id) const;

  OrgStore& store_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
