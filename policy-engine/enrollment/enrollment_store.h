// Enrollments that the org has authorized, as rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "devicetrust/org/v1/enrollment.pb.h"
#include "libs/base/clock.h"
#include "libs/base/status.h"
#include "libs/db/connection.h"
#include "policy-engine/rules/conditions.h"

namespace devicetrust::policy {

// What makes the certificate of an enrollment count for its user (CA-1).
struct Enrollment {
  std::string user_id;
  std::string device_id;
  std::optional<Platform> platform;  // Nothing: the directory records no system that we know.
};

// nullopt: the org knows no enrollment of this id.
absl::StatusOr<std::optional<Enrollment>> FindEnrollment(db::Transaction& txn,
                                                         const std::string& enrollment_id);

// By user id, the platforms of their computers: bit i is Platform i, bit 0 one that the directory
// does not record.
using EnrolledPlatforms = std::unordered_map<std::string, std::uint8_t>;
absl::StatusOr<EnrolledPlatforms> FindEnrolledPlatforms(db::Transaction& txn);

// Idempotent. kFailedPrecondition, CONFLICTING_STATE: the id is another user's or device's.
absl::Status RecordEnrollment(db::Transaction& txn, const org::v1::EnrollmentRequest& request,
                              const std::string& user_id, std::optional<Platform> platform,
                              WallTime now);

}  // namespace devicetrust::policy
