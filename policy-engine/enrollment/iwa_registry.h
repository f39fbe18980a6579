#pragma once

#include <set>
#include <string>

#include "devicetrust/org/v1/iwa_registry.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"

namespace devicetrust::policy {

inline constexpr int kIwaKeysMax = 4;
inline constexpr int kIwaDomainsMax = 64;

// What an enrollment needs to know of the IWA that vouched for it. `domains`: DNS names of the
// domains that computer and user are of; none where the org knows no directory.
// kPermissionDenied: IWA_UNKNOWN, IWA_DISABLED, IWA_TOO_OLD, TOKEN_UNKNOWN_KEY,
// UNTRUSTED_FOREST, IWA_DOMAIN_NOT_GRANTED.
absl::Status CheckIwaMayEnroll(db::Transaction& txn, const std::string& name,
                               const std::string& kid, const std::string& realm,
                               const std::set<std::string>& domains);

// The IWA servers of the org (ORG-5). Thread-safe.
class IwaRegistry {
 public:
  // All references must outlive this.
  IwaRegistry(db::Database& database, EventSink& events, const Clock& clock)
      : database_(database), events_(events), clock_(clock) {}

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
  db::Database& database_;
  EventSink& events_;
  const Clock& clock_;
};

}  // namespace devicetrust::policy
