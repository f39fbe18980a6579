// Users and their second factors over a real store, for the tests of this folder; the CA is a
// function.
#pragma once

#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libs/testing/status.h"
#include "policy-engine/org_fixture.h"
#include "policy-engine/users/user_admin.h"

namespace devicetrust::policy {

// A CA that can be away, and remembers whom it was asked to revoke.
class FakeCa final : public CertificateRevoker {
 public:
  absl::StatusOr<ca::v1::RevokeForUserResponse> RevokeForUser(
      const ca::v1::RevokeForUserRequest& request) override {
    const std::lock_guard lock(mutex_);
    ++calls_;
    changed_.notify_all();
    if (away_) return absl::UnavailableError("the CA is away");
    revoked_.push_back(request);
    ca::v1::RevokeForUserResponse response;
    response.set_revoked(3);
    return response;
  }
  void SetAway(bool away) {
    const std::lock_guard lock(mutex_);
    away_ = away;
  }
  // Waits until it has revoked for this many users, or gives up.
  std::vector<ca::v1::RevokeForUserRequest> WaitForRevoked(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return revoked_.size() >= count; });
    return revoked_;
  }
  int calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool away_ = false;
  int calls_ = 0;
  std::vector<ca::v1::RevokeForUserRequest> revoked_;
};

class UserAdminTest : public OrgFixture {
 protected:
  UserAdminTest() {
    revoker_.emplace(*database_, ca_,
                     UserRevokerOptions{.retry_min = std::chrono::milliseconds{5},
                                        .retry_max = std::chrono::milliseconds{20}});
    users_.emplace(UserAdmin::Parts{*database_, *events_, *revoker_, factors_, clock_, random_,
                                    [this] { return store_->state()->DisplayName(); }});
  }

  static org::v1::UserImport NewUser(const std::string& name, int rid) {
    org::v1::UserImport user;
    user.set_sid("S-1-5-21-1-2-3-" + std::to_string(rid));
    user.set_principal(name + "@Corp.Test");
    user.set_account_name(name);
    user.set_display_name("User " + name);
    user.add_groups("Staff");
    return user;
  }
  absl::Status Import(const std::vector<org::v1::UserImport>& users) {
    org::v1::ImportUsersRequest request;
    for (const auto& user : users) *request.add_users() = user;
    const auto imported = users_->Import(admin_, request);
    if (imported.ok()) imported_ = *imported;
    return imported.status();
  }
  // As a mirror of a directory imports.
  org::v1::ImportUsersResponse Mirror(const std::vector<org::v1::UserImport>& users,
                                      bool take_over = true) {
    org::v1::ImportUsersRequest request;
    request.set_judge_each(true);
    request.set_take_over_principals(take_over);
    for (const auto& user : users) *request.add_users() = user;
    const auto imported = users_->Import(admin_, request);
    DT_EXPECT_OK(imported);
    return imported.ok() ? *imported : org::v1::ImportUsersResponse();
  }
  std::string PrincipalOf(const std::string& id) {
    org::v1::GetUserRequest request;
    request.set_id(id);
    return users_->Get(request)->user().principal();
  }
  std::string ImportOne(const std::string& name, int rid = 1105) {
    EXPECT_TRUE(Import({NewUser(name, rid)}).ok());
    return imported_.user_ids(0);
  }
  absl::StatusOr<org::v1::SetUserStatusResponse> SetStatus(const std::string& id,
                                                           org::v1::UserStatus status) {
    org::v1::SetUserStatusRequest request;
    request.set_user_id(id);
    request.set_status(status);
    return users_->SetStatus(admin_, request);
  }
  absl::StatusOr<org::v1::User> GetByPrincipal(const std::string& principal) {
    org::v1::GetUserRequest request;
    request.set_principal(principal);
    const auto found = users_->Get(request);
    if (!found.ok()) return found.status();
    return found->user();
  }
  FactorVerdict Verify(const std::string& id, const std::string& code) {
    return database_
        ->Write([&](db::Transaction& txn) {
          return factors_.Verify(txn, {id, code, "192.0.2.1"}, clock_.Now());
        })
        .value()
        .verdict;
  }

  TotpFactors factors_{*kek_, random_};
  FakeCa ca_;
  std::optional<UserRevoker> revoker_;
  std::optional<UserAdmin> users_;
  org::v1::ImportUsersResponse imported_;
};

}  // namespace devicetrust::policy
