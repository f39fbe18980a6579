#include "policy-engine/enrollment/enrollment_store.h"

#include <utility>

#include "libs/rpc/error.h"

namespace devicetrust::policy {

namespace v1 = ::devicetrust::org::v1;

absl::StatusOr<std::optional<Enrollment>> FindEnrollment(db::Transaction& txn,
                                                         const std::string& enrollment_id) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT user_id, device_id, platform FROM enrollments WHERE enrollment_id = $1",
              {enrollment_id}));
  if (rows.empty()) return std::optional<Enrollment>();
  const db::Row& row = rows.front();
  Enrollment enrollment{db::Text(row[0]), db::Text(row[1]), std::nullopt};
  const std::int64_t platform = db::Int(row[2]);
  if (platform > 0 && platform <= kPlatformCount) {
    enrollment.platform = static_cast<Platform>(platform);
  }
  return std::optional<Enrollment>(std::move(enrollment));
}

absl::StatusOr<EnrolledPlatforms> FindEnrolledPlatforms(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT DISTINCT user_id, platform FROM enrollments"));
  EnrolledPlatforms platforms;
  for (const db::Row& row : rows) {
    const std::int64_t platform = db::Int(row[1]);
    const bool known = platform > 0 && platform <= kPlatformCount;
    platforms[db::Text(row[0])] |= static_cast<std::uint8_t>(1u << (known ? platform : 0));
  }
  return platforms;
}

absl::Status RecordEnrollment(db::Transaction& txn, const v1::EnrollmentRequest& request,
                              const std::string& user_id, std::optional<Platform> platform,
                              WallTime now) {
  DT_ASSIGN_OR_RETURN(
      const auto inserted,
      txn.Run("INSERT INTO enrollments (enrollment_id, user_id, device_id, computer_sid, platform,"
              " iwa_name, authorized_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
              " ON CONFLICT (enrollment_id) DO NOTHING RETURNING enrollment_id",
              {request.enrollment_id(), user_id, request.device_id(), request.computer_sid(),
               static_cast<std::int64_t>(platform.value_or(Platform::kUnknown)), request.iwa_name(),
               UnixSeconds(now)}));
  if (!inserted.empty()) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const auto known, FindEnrollment(txn, request.enrollment_id()));
  if (known && known->user_id == user_id && known->device_id == request.device_id()) {
    return absl::OkStatus();
  }
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_CONFLICTING_STATE,
                        "the enrollment id is taken by another user or device",
                        request.enrollment_id());
}

}  // namespace devicetrust::policy
