// Changes of apps and their rules by an admin: checked, stored, logged.
#pragma once

#include <string>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/rpc/caller.h"
#include "policy-engine/apps/rule_references.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

inline constexpr std::size_t kPreviewMetadataBytesMax = 64 * 1024;
inline constexpr std::size_t kAppsMax = 5000;
// Of all apps with their rules. They stay in memory, and gateways get them (without their rules)
// in one message, of 16 MiB at most.
inline constexpr std::size_t kAppsBytesMax = 12 << 20;

// Thread-safe.
class AppAdmin {
 public:
  AppAdmin(OrgStore& store, const RuleReferences& references, const Clock& clock)
      : store_(store), references_(references), clock_(clock) {}

  // The contract (devicetrust.org.v1.AppService) says what each does and refuses.
  absl::StatusOr<org::v1::PutAppResponse> PutApp(const rpc::Caller& admin,
                                                 const org::v1::PutAppRequest& request);
  absl::StatusOr<org::v1::PreviewAppResponse> PreviewApp(
      const org::v1::PreviewAppRequest& request) const;
  absl::StatusOr<org::v1::GetAppResponse> GetApp(const org::v1::GetAppRequest& request) const;
  org::v1::ListAppsResponse ListApps(const org::v1::ListAppsRequest& request) const;
  absl::StatusOr<org::v1::RemoveAppResponse> RemoveApp(const rpc::Caller& admin,
                                                       const org::v1::RemoveAppRequest& request);
  absl::StatusOr<org::v1::SetRulesResponse> SetRules(const rpc::Caller& admin,
                                                     const org::v1::SetRulesRequest& request);

 private:
  // An answer with an app as it is now. kNotFound, APP_UNKNOWN: it is not there.
  template <typename Response>
  absl::StatusOr<Response> AppAnswer(const std::string& id) const;

  OrgStore& store_;
  const RuleReferences& references_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
