#pragma once

#include "devicetrust/org/v1/users.grpc.pb.h"
#include "policy-engine/users/user_admin.h"

namespace devicetrust::policy {

// Users over gRPC: translates for UserAdmin.
class UserService final : public org::v1::UserService::Service {
 public:
  explicit UserService(UserAdmin& users) : users_(users) {}

  grpc::Status ImportUsers(grpc::ServerContext* context, const org::v1::ImportUsersRequest* request,
                           org::v1::ImportUsersResponse* response) override;
  grpc::Status GetUser(grpc::ServerContext* context, const org::v1::GetUserRequest* request,
                       org::v1::GetUserResponse* response) override;
  grpc::Status ListUsers(grpc::ServerContext* context, const org::v1::ListUsersRequest* request,
                         org::v1::ListUsersResponse* response) override;
  grpc::Status SetUserStatus(grpc::ServerContext* context,
                             const org::v1::SetUserStatusRequest* request,
                             org::v1::SetUserStatusResponse* response) override;
  grpc::Status EnrollFactor(grpc::ServerContext* context,
                            const org::v1::EnrollFactorRequest* request,
                            org::v1::EnrollFactorResponse* response) override;
  grpc::Status ResetFactors(grpc::ServerContext* context,
                            const org::v1::ResetFactorsRequest* request,
                            org::v1::ResetFactorsResponse* response) override;

 private:
  UserAdmin& users_;
};

}  // namespace devicetrust::policy
