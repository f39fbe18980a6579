#pragma once

#include <string>
#include <utility>

#include "devicetrust/org/v1/users.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/base/random.h"
#include "libs/db/database.h"
#include "policy-engine/log/events.h"
#include "policy-engine/people/people_factors.h"
#include "policy-engine/people/people_revoker.h"
#include "policy-engine/people/people_store.h"
#include "policy-engine/service_caller.h"
#include "policy-engine/sessions/session_changes.h"

namespace devicetrust::policy {

inline constexpr int kPeoplePerImportMax = 5'000;

// People of the org (ORG-4). The contract says what each method does and refuses.
class PeopleService final : public org::v1::UserService::Service {
 public:
  // All references must outlive the service.
  struct Parts {
    db::Database& database;
    EventSink& events;
    SessionChanges& sessions;
    PeopleRevoker& revoker;
    Factors& factors;
    const Clock& clock;
    Random& random;
    std::string org_id;  // Issuer shown by authenticator apps.
    CallerLookup caller;
  };
  explicit PeopleService(Parts parts) : parts_(std::move(parts)) {}

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
  absl::StatusOr<org::v1::ImportUsersResponse> Import(const org::v1::ImportUsersRequest& request,
                                                      const rpc::Caller& caller);
  absl::StatusOr<org::v1::ListUsersResponse> List(const org::v1::ListUsersRequest& request);
  absl::StatusOr<org::v1::SetUserStatusResponse> SetStatus(
      const org::v1::SetUserStatusRequest& request, const rpc::Caller& caller);
  absl::StatusOr<org::v1::EnrollFactorResponse> Enroll(const org::v1::EnrollFactorRequest& request,
                                                       const rpc::Caller& caller);
  absl::StatusOr<org::v1::ResetFactorsResponse> Reset(const org::v1::ResetFactorsRequest& request,
                                                      const rpc::Caller& caller);
  absl::StatusOr<Person> Find(const org::v1::GetUserRequest& request);

  Parts parts_;
};

// Checks a whole import before anything is written: kInvalidArgument naming the first person
// that is incomplete, too long, or shares SID or principal with another one of the call.
absl::Status ValidateImport(const org::v1::ImportUsersRequest& request);

}  // namespace devicetrust::policy
