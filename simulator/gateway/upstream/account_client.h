// What the gateway asks of the org for a person who looks after the own account: apps, sessions,
// second factor. Uses libs/rpc alone.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "devicetrust/org/v1/dashboard.pb.h"
#include "devicetrust/org/v1/factors.pb.h"
#include "devicetrust/org/v1/sessions.pb.h"
#include "libs/base/status.h"
#include "libs/base/task.h"

namespace devicetrust::gateway {

// As OrgClient: every call ends by a deadline, and errors carry the org's detail.
class AccountClient {
 public:
  virtual ~AccountClient() = default;
  virtual Task<absl::StatusOr<org::v1::GetDashboardResponse>> GetDashboard(
      org::v1::GetDashboardRequest request) = 0;
  virtual Task<absl::Status> NoteAppOpened(org::v1::NoteAppOpenedRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::GetAppLogoResponse>> GetAppLogo(
      org::v1::GetAppLogoRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::ListSessionsResponse>> ListSessions(
      org::v1::ListSessionsRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::EndSessionsResponse>> EndSessions(
      org::v1::EndSessionsRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::BeginTotpEnrollmentResponse>> BeginTotpEnrollment(
      org::v1::BeginTotpEnrollmentRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::ConfirmTotpEnrollmentResponse>> ConfirmTotpEnrollment(
      org::v1::ConfirmTotpEnrollmentRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::ShowFactorResponse>> ShowFactor(
      org::v1::ShowFactorRequest request) = 0;
  virtual Task<absl::StatusOr<org::v1::MakeRecoveryCodesResponse>> MakeRecoveryCodes(
      org::v1::MakeRecoveryCodesRequest request) = 0;
};

std::unique_ptr<AccountClient> NewAccountClient(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace devicetrust::gateway
