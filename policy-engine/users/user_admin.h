#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "devicetrust/org/v1/users.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "libs/rpc/caller.h"
#include "policy-engine/log/events.h"
#include "policy-engine/users/totp_factors.h"
#include "policy-engine/users/user_import.h"
#include "policy-engine/users/user_revoker.h"

namespace devicetrust::policy {

// Users of the org (ORG-4), their second factors and their status: read, changed by an admin,
// logged. Thread-safe.
class UserAdmin {
 public:
  // All references must outlive the UserAdmin.
  struct Parts {
    db::Database& database;
    EventSink& events;
    UserRevoker& revoker;
    TotpFactors& factors;
    const Clock& clock;
    Random& random;
    std::function<std::string()> issuer;  // Shown by authenticator apps.
  };
  explicit UserAdmin(Parts parts) : parts_(std::move(parts)) {}

  // The contract (devicetrust.org.v1.UserService) says what each does and refuses.
  absl::StatusOr<org::v1::ImportUsersResponse> Import(const rpc::Caller& admin,
                                                      const org::v1::ImportUsersRequest& request);
  // Grows whenever people, their groups or their status change.
  std::int64_t version() const { return version_; }
  void NoteChange() { ++version_; }  // Another one than this has changed them.

  absl::StatusOr<org::v1::GetUserResponse> Get(const org::v1::GetUserRequest& request) const;
  absl::StatusOr<org::v1::ListUsersResponse> List(const org::v1::ListUsersRequest& request) const;
  absl::StatusOr<org::v1::SetUserStatusResponse> SetStatus(
      const rpc::Caller& admin, const org::v1::SetUserStatusRequest& request);
  absl::StatusOr<org::v1::EnrollFactorResponse> EnrollFactor(
      const rpc::Caller& admin, const org::v1::EnrollFactorRequest& request);
  absl::StatusOr<org::v1::ResetFactorsResponse> ResetFactors(
      const rpc::Caller& admin, const org::v1::ResetFactorsRequest& request);

 private:
  // What a person to import has or gets: the id that the org knows or will know the user by.
  struct Prepared {
    std::string id;
    bool known = false;
    std::optional<SealedFactor> factor;
  };

  absl::StatusOr<std::vector<Prepared>> Prepare(const std::vector<ImportedPerson>& people);
  absl::Status StoreFactor(db::Transaction& txn, const Prepared& prepared,
                           const org::v1::UserImport& user);
  absl::StatusOr<org::v1::ImportUsersResponse> StoreImport(
      db::Transaction& txn, const rpc::Caller& admin, const org::v1::ImportUsersRequest& request,
      std::vector<ImportedPerson> people, const std::vector<Prepared>& prepared,
      org::v1::Event event);
  // The user of a principal that somebody else has now.
  absl::Status Retire(db::Transaction& txn, const rpc::Caller& admin,
                      const ImportPlan::Retiring& retiring, const std::string& successor,
                      org::v1::ImportUsersResponse& response);
  absl::StatusOr<org::v1::User> ChangeStatus(db::Transaction& txn,
                                             const org::v1::SetUserStatusRequest& request,
                                             const rpc::Caller& admin, org::v1::Event event) const;

  const Parts parts_;
  std::atomic<std::int64_t> version_ = 0;
};

}  // namespace devicetrust::policy
