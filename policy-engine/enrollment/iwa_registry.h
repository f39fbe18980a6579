#pragma once

#include <string>
#include <vector>

#include "devicetrust/org/v1/iwa_registry.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "policy-engine/log/events.h"
#include "policy-engine/service_caller.h"

namespace devicetrust::policy {

inline constexpr int kIwaKeysMax = 4;
inline constexpr int kIwaForestsMax = 64;

// What an enrollment needs to know of the IWA that vouched for it.
// kPermissionDenied: IWA_UNKNOWN, IWA_DISABLED, IWA_TOO_OLD, TOKEN_UNKNOWN_KEY,
// UNTRUSTED_FOREST.
absl::Status CheckIwaMayEnroll(db::Transaction& txn, const std::string& name,
                               const std::string& kid, const std::string& realm);

// The IWA servers of the org (ORG-5). The contract says what each method does.
class IwaRegistryService final : public org::v1::IwaRegistryService::Service {
 public:
  IwaRegistryService(db::Database& database, EventSink& events, const Clock& clock,
                     CallerLookup caller)
      : database_(database), events_(events), clock_(clock), caller_(std::move(caller)) {}

  grpc::Status RegisterIwa(grpc::ServerContext* context, const org::v1::RegisterIwaRequest* request,
                           org::v1::RegisterIwaResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext* context, const org::v1::HeartbeatRequest* request,
                         org::v1::HeartbeatResponse* response) override;
  grpc::Status ListIwas(grpc::ServerContext* context, const org::v1::ListIwasRequest* request,
                        org::v1::ListIwasResponse* response) override;
  grpc::Status SetIwaEnabled(grpc::ServerContext* context,
                             const org::v1::SetIwaEnabledRequest* request,
                             org::v1::SetIwaEnabledResponse* response) override;

 private:
  absl::StatusOr<org::v1::Iwa> Store(const grpc::ServerContext* context, org::v1::Iwa iwa);
  absl::StatusOr<org::v1::Iwa> SetEnabled(const grpc::ServerContext* context,
                                          const std::string& name, bool enabled);
  absl::StatusOr<rpc::Caller> RequireSelf(const grpc::ServerContext* context,
                                          const std::string& name) const;

  db::Database& database_;
  EventSink& events_;
  const Clock& clock_;
  const CallerLookup caller_;
};

}  // namespace devicetrust::policy
