#pragma once

#include <optional>
#include <vector>

#include "devicetrust/org/v1/enrollment.pb.h"
#include "libs/base/clock.h"
#include "libs/db/database.h"
#include "libs/directory/registry.h"
#include "policy-engine/org/org_store.h"

namespace devicetrust::policy {

inline constexpr int kEnrollmentsPerCallMax = 64;

// The org's word on enrollments. Thread-safe.
class EnrollmentAuthority {
 public:
  using Requests = google::protobuf::RepeatedPtrField<org::v1::EnrollmentRequest>;
  using Result = absl::StatusOr<org::v1::AuthorizedEnrollment>;

  // Without any directory every platform stays unknown. All references must outlive this.
  EnrollmentAuthority(db::Database& database, const OrgStore& store, const Clock& clock,
                      const directory::Registry& directories)
      : database_(database), store_(store), clock_(clock), directories_(directories) {}

  // One result for each request, in their order; the contract (devicetrust.org.v1.
  // EnrollmentService) says what is checked. An error of the call as a whole records nothing:
  // kInvalidArgument for no request or more than kEnrollmentsPerCallMax, else the store's.
  absl::StatusOr<std::vector<Result>> Authorize(const Requests& requests);

 private:
  // Of a request's computer; an error refuses the request.
  using FoundPlatform = absl::StatusOr<std::optional<Platform>>;

  std::vector<FoundPlatform> LookUpPlatforms(const Requests& requests);

  db::Database& database_;
  const OrgStore& store_;
  const Clock& clock_;
  const directory::Registry& directories_;
};

}  // namespace devicetrust::policy
