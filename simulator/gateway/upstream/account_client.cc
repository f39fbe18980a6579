#include "simulator/gateway/upstream/account_client.h"

#include "devicetrust/org/v1/dashboard.grpc.pb.h"
#include "devicetrust/org/v1/factors.grpc.pb.h"
#include "devicetrust/org/v1/sessions.grpc.pb.h"
#include "libs/rpc/async_call.h"

namespace devicetrust::gateway {
namespace {

class GrpcAccountClient final : public AccountClient {
 public:
  explicit GrpcAccountClient(const std::shared_ptr<grpc::Channel>& channel)
      : dashboard_(org::v1::DashboardService::NewStub(channel)),
        factors_(org::v1::FactorService::NewStub(channel)),
        sessions_(org::v1::SessionService::NewStub(channel)) {}

  Task<absl::Status> NoteAppOpened(org::v1::NoteAppOpenedRequest request) override {
    const auto noted = co_await rpc::AsyncCall(
        *dashboard_->async(), &org::v1::DashboardService::Stub::async::NoteAppOpened,
        std::move(request));
    co_return noted.status();
  }

  Task<absl::StatusOr<org::v1::GetDashboardResponse>> GetDashboard(
      org::v1::GetDashboardRequest request) override {
    co_return co_await rpc::AsyncCall(*dashboard_->async(),
                                      &org::v1::DashboardService::Stub::async::GetDashboard,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::GetAppLogoResponse>> GetAppLogo(
      org::v1::GetAppLogoRequest request) override {
    co_return co_await rpc::AsyncCall(*dashboard_->async(),
                                      &org::v1::DashboardService::Stub::async::GetAppLogo,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::ListSessionsResponse>> ListSessions(
      org::v1::ListSessionsRequest request) override {
    co_return co_await rpc::AsyncCall(*sessions_->async(),
                                      &org::v1::SessionService::Stub::async::ListSessions,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::EndSessionsResponse>> EndSessions(
      org::v1::EndSessionsRequest request) override {
    co_return co_await rpc::AsyncCall(*sessions_->async(),
                                      &org::v1::SessionService::Stub::async::EndSessions,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::BeginTotpEnrollmentResponse>> BeginTotpEnrollment(
      org::v1::BeginTotpEnrollmentRequest request) override {
    co_return co_await rpc::AsyncCall(*factors_->async(),
                                      &org::v1::FactorService::Stub::async::BeginTotpEnrollment,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::ConfirmTotpEnrollmentResponse>> ConfirmTotpEnrollment(
      org::v1::ConfirmTotpEnrollmentRequest request) override {
    co_return co_await rpc::AsyncCall(*factors_->async(),
                                      &org::v1::FactorService::Stub::async::ConfirmTotpEnrollment,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::ShowFactorResponse>> ShowFactor(
      org::v1::ShowFactorRequest request) override {
    co_return co_await rpc::AsyncCall(
        *factors_->async(), &org::v1::FactorService::Stub::async::ShowFactor, std::move(request));
  }

  Task<absl::StatusOr<org::v1::MakeRecoveryCodesResponse>> MakeRecoveryCodes(
      org::v1::MakeRecoveryCodesRequest request) override {
    co_return co_await rpc::AsyncCall(*factors_->async(),
                                      &org::v1::FactorService::Stub::async::MakeRecoveryCodes,
                                      std::move(request));
  }

 private:
  const std::unique_ptr<org::v1::DashboardService::Stub> dashboard_;
  const std::unique_ptr<org::v1::FactorService::Stub> factors_;
  const std::unique_ptr<org::v1::SessionService::Stub> sessions_;
};

}  // namespace

std::unique_ptr<AccountClient> NewAccountClient(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<GrpcAccountClient>(channel);
}

}  // namespace devicetrust::gateway
