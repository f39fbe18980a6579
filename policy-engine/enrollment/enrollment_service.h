#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devicetrust/org/v1/enrollment.grpc.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/directory/registry.h"
#include "policy-engine/org/org_store.h"
#include "policy-engine/people/people_store.h"

namespace devicetrust::policy {

// What the directory's operatingSystem attribute means ("Windows 10 Enterprise"); nullopt for
// an empty one or a system that we don't know.
std::optional<Platform> PlatformFromDirectory(std::string_view operating_system);

// An enrollment that the org has authorized: what makes its certificate count (CA-1).
struct Enrollment {
  std::string user_id;
  std::string device_id;
  std::optional<Platform> platform;
};
// nullopt: the org knows none of this id.
absl::StatusOr<std::optional<Enrollment>> FindEnrollment(db::Transaction& txn,
                                                         const std::string& enrollment_id);

inline constexpr std::size_t kEnrollmentsPerCallMax = 64;

// The org's word on enrollments. The contract says what it checks.
class EnrollmentService final : public org::v1::EnrollmentService::Service {
 public:
  // Without any directory every platform stays unknown. All references must outlive the service.
  EnrollmentService(db::Database& database, const OrgStore& store, const Clock& clock,
                    const directory::Registry& directories)
      : database_(database), store_(store), clock_(clock), directories_(directories) {}

  grpc::Status AuthorizeEnrollments(grpc::ServerContext* context,
                                    const org::v1::AuthorizeEnrollmentsRequest* request,
                                    org::v1::AuthorizeEnrollmentsResponse* response) override;

 private:
  // One enrollment on its way through the checks.
  struct Item {
    const org::v1::EnrollmentRequest& request;
    absl::Status status;  // The first refusal.
    std::optional<Platform> platform;
    Enrollee user;
  };

  absl::Status Authorize(std::span<Item> items);
  void LookUpPlatforms(std::span<Item> items);

  db::Database& database_;
  const OrgStore& store_;
  const Clock& clock_;
  const directory::Registry& directories_;
};

}  // namespace devicetrust::policy
