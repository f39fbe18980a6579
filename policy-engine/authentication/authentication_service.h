#pragma once

#include "devicetrust/org/v1/authentication.grpc.pb.h"
#include "policy-engine/authentication/authenticator.h"

namespace devicetrust::policy {

// Passwords and sessions over gRPC: translates for Authenticator.
class AuthenticationService final : public org::v1::AuthenticationService::Service {
 public:
  explicit AuthenticationService(Authenticator& authenticator) : authenticator_(authenticator) {}

  grpc::Status StartSession(grpc::ServerContext* context,
                            const org::v1::StartSessionRequest* request,
                            org::v1::StartSessionResponse* response) override;
  grpc::Status StartTicketSession(grpc::ServerContext* context,
                                  const org::v1::StartTicketSessionRequest* request,
                                  org::v1::StartTicketSessionResponse* response) override;
  grpc::Status EndSession(grpc::ServerContext* context, const org::v1::EndSessionRequest* request,
                          org::v1::EndSessionResponse* response) override;

 private:
  Authenticator& authenticator_;
};

}  // namespace devicetrust::policy
