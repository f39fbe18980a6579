#pragma once

#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "policy-engine/decisions/user_sessions.h"

namespace devicetrust::policy {

// Sessions of a user over gRPC: translates for UserSessions.
class SessionService final : public org::v1::SessionService::Service {
 public:
  explicit SessionService(UserSessions& sessions) : sessions_(sessions) {}

  grpc::Status ListSessions(grpc::ServerContext* context,
                            const org::v1::ListSessionsRequest* request,
                            org::v1::ListSessionsResponse* response) override;
  grpc::Status EndSessions(grpc::ServerContext* context, const org::v1::EndSessionsRequest* request,
                           org::v1::EndSessionsResponse* response) override;

 private:
  UserSessions& sessions_;
};

}  // namespace devicetrust::policy
