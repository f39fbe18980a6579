#pragma once

#include "devicetrust/org/v1/console.grpc.pb.h"
#include "policy-engine/console/admin_roles.h"
#include "policy-engine/console/console.h"

namespace devicetrust::policy {

class AdminRoleService final : public org::v1::AdminRoleService::Service {
 public:
  explicit AdminRoleService(AdminRoles& roles) : roles_(roles) {}

  grpc::Status GrantRole(grpc::ServerContext* context, const org::v1::GrantRoleRequest* request,
                         org::v1::GrantRoleResponse* response) override;
  grpc::Status RevokeRole(grpc::ServerContext* context, const org::v1::RevokeRoleRequest* request,
                          org::v1::RevokeRoleResponse* response) override;
  grpc::Status ListAdmins(grpc::ServerContext* context, const org::v1::ListAdminsRequest* request,
                          org::v1::ListAdminsResponse* response) override;

 private:
  AdminRoles& roles_;
};

class ConsoleService final : public org::v1::ConsoleService::Service {
 public:
  explicit ConsoleService(Console& console) : console_(console) {}

  grpc::Status GetConsole(grpc::ServerContext* context, const org::v1::GetConsoleRequest* request,
                          org::v1::GetConsoleResponse* response) override;
  grpc::Status OpenConsole(grpc::ServerContext* context, const org::v1::OpenConsoleRequest* request,
                           org::v1::OpenConsoleResponse* response) override;
  grpc::Status CloseConsole(grpc::ServerContext* context,
                            const org::v1::CloseConsoleRequest* request,
                            org::v1::CloseConsoleResponse* response) override;
  grpc::Status AuthorizeCall(grpc::ServerContext* context,
                             const org::v1::AuthorizeCallRequest* request,
                             org::v1::AuthorizeCallResponse* response) override;

 private:
  Console& console_;
};

}  // namespace devicetrust::policy
