#pragma once

#include <chrono>
#include <compare>
#include <set>
#include <string>

#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "devicetrust/org/v1/settings.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/directory/registry.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

inline constexpr int kIwaKeysMax = 4;
inline constexpr int kIwaDomainsMax = 64;

// Heartbeats come each second.
inline constexpr std::chrono::seconds kIwaOnlineFor{15};

// An IWA's word for an enrollment.
struct IwaVouches {
  std::string name;
  std::string kid;
  std::string realm;
  // Of computer and user; none where the org knows no directory.
  std::set<const directory::Domain*> domains;
  auto operator<=>(const IwaVouches&) const = default;
};

// What an enrollment needs to know of the IWA that vouched for it. `directories`: the domains that
// the org knows, those of `vouches` among them.
// kPermissionDenied: IWA_UNKNOWN, IWA_DISABLED, IWA_TOO_OLD, IWA_IS_BACKUP, TOKEN_UNKNOWN_KEY,
// UNTRUSTED_FOREST, IWA_DOMAIN_NOT_GRANTED.
absl::Status CheckIwaMayEnroll(db::Transaction& txn, const IwaVouches& vouches,
                               const directory::Registry& directories,
                               const org::v1::OrgSettings& settings);

// The IWA servers of the org (ORG-5). Thread-safe.
class IwaRegistry {
 public:
  // All references must outlive this.
  IwaRegistry(db::Database& database, const OrgStore& store, EventSink& events, const Clock& clock)
      : database_(database), store_(store), events_(events), clock_(clock) {}

  // The contract (devicetrust.org.v1.IwaRegistryService) says what each does and refuses. `iwa`
  // is whoever calls: the first two take the caller's own name only.
  absl::StatusOr<org::v1::RegisterIwaResponse> Register(const rpc::Caller& iwa,
                                                        const org::v1::RegisterIwaRequest& request);
  absl::StatusOr<org::v1::HeartbeatResponse> Heartbeat(const rpc::Caller& iwa,
                                                       const org::v1::HeartbeatRequest& request);
  absl::StatusOr<org::v1::ListIwasResponse> List();
  absl::StatusOr<org::v1::SetIwaEnabledResponse> SetEnabled(
      const rpc::Caller& admin, const org::v1::SetIwaEnabledRequest& request);
  absl::StatusOr<org::v1::SetIwaDomainsResponse> SetDomains(
      const rpc::Caller& admin, const org::v1::SetIwaDomainsRequest& request);

 private:
  // What is computed of an IWA that was read.
  void Complete(org::v1::Iwa& iwa) const;

  db::Database& database_;
  const OrgStore& store_;
  EventSink& events_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
