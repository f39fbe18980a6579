#pragma once

#include "devicetrust/iwa/v1/iwa.grpc.pb.h"
#include "iwa/token_issuer.h"

namespace devicetrust::iwa {

// The gRPC service of TokenIssuer: translates, logs (refusals sparsely), maps the status.
class DomainProofService final : public v1::DomainProofService::Service {
 public:
  explicit DomainProofService(TokenIssuer& issuer) : issuer_(issuer) {}

  grpc::Status IssueDeviceToken(grpc::ServerContext* context,
                                const v1::IssueDeviceTokenRequest* request,
                                v1::IssueDeviceTokenResponse* response) override;
  grpc::Status IssueUserToken(grpc::ServerContext* context,
                              const v1::IssueUserTokenRequest* request,
                              v1::IssueUserTokenResponse* response) override;

 private:
  TokenIssuer& issuer_;
};

}  // namespace devicetrust::iwa
