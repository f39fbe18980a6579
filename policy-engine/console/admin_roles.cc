#include "policy-engine/console/admin_roles.h"

#include <algorithm>

#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/users/admin_store.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

std::string RoleName(access::v1::Role role) {
  return role == access::v1::ROLE_UNSPECIFIED ? std::string() : rpc::EnumName(role);
}

v1::Admin ToAdmin(const AdminRow& row, const v1::User& user) {
  v1::Admin admin;
  admin.mutable_user()->set_id(user.id());
  admin.mutable_user()->set_principal(user.principal());
  admin.mutable_user()->set_display_name(user.display_name());
  admin.mutable_user()->set_status(user.status());
  *admin.mutable_user()->mutable_factors() = user.factors();
  admin.set_role(row.role);
  admin.set_granted_by(row.granted_by);
  *admin.mutable_granted_at() = rpc::ToTimestamp(row.granted_at);
  return admin;
}

// Whoever lost the last role by a slip could not undo it.
absl::Status CheckNotOwn(const rpc::Caller& admin, const v1::User& user) {
  if (admin.user_id != user.id()) return absl::OkStatus();
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        "nobody changes the own role", user.principal(),
                        "Ask another super admin, or use dtctl admin.");
}

EventBuilder RoleEvent(bool granted, const rpc::Caller& admin, const v1::User& user, WallTime now) {
  EventBuilder builder(
      granted ? "admin.role.grant" : "admin.role.revoke",
      granted ? "Role of an administrator granted" : "Role of an administrator taken away", now);
  builder.Actor(admin).Target("User", user.id(), user.principal());
  builder.Outcome(v1::EventOutcome::RESULT_SUCCESS);
  return builder;
}

}  // namespace

absl::StatusOr<v1::GrantRoleResponse> AdminRoles::Grant(const rpc::Caller& admin,
                                                        const v1::GrantRoleRequest& request) {
  if (request.role() == access::v1::ROLE_UNSPECIFIED || !access::v1::Role_IsValid(request.role())) {
    return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                          "that is no role", "role",
                          "Roles are read-only, help-desk, app-admin and super-admin.");
  }
  const WallTime now = parts_.clock.Now();
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto grant = [&](db::Transaction& txn) -> absl::StatusOr<v1::GrantRoleResponse> {
    DT_ASSIGN_OR_RETURN(const StoredUser found, FindUserNamed(txn, request.user()));
    const v1::User& user = found.user;
    DT_RETURN_IF_ERROR(CheckNotOwn(admin, user));
    if (user.status() != v1::USER_STATUS_ACTIVE) {
      return rpc::MakeError(absl::StatusCode::kFailedPrecondition,
                            reason::v1::REASON_USER_DEACTIVATED, "the user is deactivated",
                            user.principal(), "Activate the user first.");
    }
    DT_ASSIGN_OR_RETURN(const auto before, FindAdminRole(txn, user.id()));
    const AdminRow row = before && before->role == request.role()
                             ? *before
                             : AdminRow{user.id(), request.role(), admin.ToString(), now};
    v1::GrantRoleResponse response;
    *response.mutable_admin() = ToAdmin(row, user);
    if (user.factors().empty()) {
      response.set_warning("the user has no second factor, without which the console stays closed");
    }
    if (before && before->role == request.role()) return response;
    DT_RETURN_IF_ERROR(StoreAdminRole(txn, row));
    DT_RETURN_IF_ERROR(CloseConsoleSessionsOf(txn, user.id()));
    v1::Event told = RoleEvent(true, admin, user, now)
                         .Debug("before", before ? RoleName(before->role) : "none")
                         .Debug("after", RoleName(request.role()))
                         .Take();
    told.set_id(event.id());
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
    return response;
  };
  return parts_.database.Write(grant);
}

absl::StatusOr<v1::RevokeRoleResponse> AdminRoles::Revoke(const rpc::Caller& admin,
                                                          const v1::RevokeRoleRequest& request) {
  const WallTime now = parts_.clock.Now();
  v1::Event event;
  DT_RETURN_IF_ERROR(parts_.events.Identify(event));
  const auto revoke = [&](db::Transaction& txn) -> absl::StatusOr<v1::RevokeRoleResponse> {
    DT_ASSIGN_OR_RETURN(const StoredUser found, FindUserNamed(txn, request.user()));
    DT_RETURN_IF_ERROR(CheckNotOwn(admin, found.user));
    DT_ASSIGN_OR_RETURN(const auto before, FindAdminRole(txn, found.user.id()));
    v1::RevokeRoleResponse response;
    if (!before) return response;
    DT_RETURN_IF_ERROR(RemoveAdminRole(txn, found.user.id()).status());
    DT_RETURN_IF_ERROR(CloseConsoleSessionsOf(txn, found.user.id()));
    response.set_had_role(true);
    v1::Event told = RoleEvent(false, admin, found.user, now)
                         .Debug("before", RoleName(before->role))
                         .Debug("after", "none")
                         .Take();
    told.set_id(event.id());
    DT_RETURN_IF_ERROR(parts_.events.Append(txn, told));
    return response;
  };
  return parts_.database.Write(revoke);
}

absl::StatusOr<v1::ListAdminsResponse> AdminRoles::List() const {
  const auto list = [](db::Transaction& txn) -> absl::StatusOr<v1::ListAdminsResponse> {
    v1::ListAdminsResponse response;
    DT_ASSIGN_OR_RETURN(const std::vector<AdminRow> rows, ListAdminRoles(txn));
    for (const AdminRow& row : rows) {
      const auto found = FindUserById(txn, row.user_id);
      if (absl::IsNotFound(found.status())) continue;
      DT_RETURN_IF_ERROR(found.status());
      *response.add_admins() = ToAdmin(row, found->user);
    }
    std::ranges::sort(*response.mutable_admins(), {}, [](const v1::Admin& admin) {
      return std::string_view(admin.user().principal());
    });
    return response;
  };
  return parts_.database.Read(list);
}

}  // namespace devicetrust::policy
