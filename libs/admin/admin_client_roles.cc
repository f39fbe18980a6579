#include "libs/admin/admin_stubs.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

absl::StatusOr<v1::GrantRoleResponse> AdminClient::GrantRole(const std::string& user,
                                                             access::v1::Role role) {
  v1::GrantRoleRequest request;
  request.set_user(user);
  request.set_role(role);
  return stubs_->Org(stubs_->admin_roles, &v1::AdminRoleService::Stub::GrantRole, request);
}

absl::StatusOr<v1::RevokeRoleResponse> AdminClient::RevokeRole(const std::string& user) {
  v1::RevokeRoleRequest request;
  request.set_user(user);
  return stubs_->Org(stubs_->admin_roles, &v1::AdminRoleService::Stub::RevokeRole, request);
}

absl::StatusOr<v1::ListAdminsResponse> AdminClient::ListAdmins() {
  return stubs_->Org(stubs_->admin_roles, &v1::AdminRoleService::Stub::ListAdmins,
                     v1::ListAdminsRequest());
}

}  // namespace devicetrust::admin
