// The org's answers about a person's own account, as a test sets them. Tests only.
#pragma once

#include <string>
#include <vector>

#include "libs/rpc/error.h"
#include "simulator/gateway/upstream/account_client.h"

namespace devicetrust::gateway {

class FakeAccount final : public AccountClient {
 public:
  static absl::Status Refusal(reason::v1::Reason reason,
                              absl::StatusCode code = absl::StatusCode::kUnauthenticated) {
    return rpc::MakeError(code, reason, "refused");
  }

  Task<absl::StatusOr<org::v1::GetDashboardResponse>> GetDashboard(
      org::v1::GetDashboardRequest request) override {
    if (!refusal.ok()) co_return refusal;
    last_session = request.session();
    co_return dashboard;
  }
  Task<absl::Status> NoteAppOpened(org::v1::NoteAppOpenedRequest request) override {
    opened.push_back(request.app_id());
    co_return refusal;
  }
  Task<absl::StatusOr<org::v1::GetAppLogoResponse>> GetAppLogo(
      org::v1::GetAppLogoRequest request) override {
    ++logos_asked;
    if (request.sha256() != std::string(32, 'L')) {
      co_return Refusal(reason::v1::REASON_LOGO_UNKNOWN, absl::StatusCode::kNotFound);
    }
    org::v1::GetAppLogoResponse response;
    response.set_png("png bytes");
    co_return response;
  }
  Task<absl::StatusOr<org::v1::ListSessionsResponse>> ListSessions(
      org::v1::ListSessionsRequest) override {
    if (!refusal.ok()) co_return refusal;
    co_return sessions;
  }
  Task<absl::StatusOr<org::v1::EndSessionsResponse>> EndSessions(
      org::v1::EndSessionsRequest request) override {
    if (!refusal.ok()) co_return refusal;
    ended.push_back(request.all() ? "all" : request.ids(0));
    co_return org::v1::EndSessionsResponse();
  }
  Task<absl::StatusOr<org::v1::BeginTotpEnrollmentResponse>> BeginTotpEnrollment(
      org::v1::BeginTotpEnrollmentRequest) override {
    if (!begin_refusal.ok()) co_return begin_refusal;
    org::v1::BeginTotpEnrollmentResponse response;
    response.set_enrollment_id("enrollment-1");
    response.set_secret("12345678901234567890");
    response.set_otpauth_uri(
        "otpauth://totp/Acme:ada%40corp.test?secret=GEZDGNBVGY3TQOJQ&issuer=Acme&x=%22%3E");
    co_return response;
  }
  Task<absl::StatusOr<org::v1::ConfirmTotpEnrollmentResponse>> ConfirmTotpEnrollment(
      org::v1::ConfirmTotpEnrollmentRequest request) override {
    if (request.totp_code() != "123456") co_return Refusal(reason::v1::REASON_FACTOR_WRONG);
    org::v1::ConfirmTotpEnrollmentResponse response;
    response.add_recovery_codes("aaaa-bbbb-cccc-dddd");
    *response.mutable_factor_at() = request.session().authenticated_at();
    co_return response;
  }
  Task<absl::StatusOr<org::v1::ShowFactorResponse>> ShowFactor(
      org::v1::ShowFactorRequest request) override {
    if (request.totp_code() != "123456") co_return Refusal(reason::v1::REASON_FACTOR_WRONG);
    org::v1::ShowFactorResponse response;
    *response.mutable_factor_at() = request.session().authenticated_at();
    co_return response;
  }
  Task<absl::StatusOr<org::v1::MakeRecoveryCodesResponse>> MakeRecoveryCodes(
      org::v1::MakeRecoveryCodesRequest) override {
    if (!begin_refusal.ok()) co_return begin_refusal;
    org::v1::MakeRecoveryCodesResponse response;
    response.add_recovery_codes("eeee-ffff-0000-1111");
    co_return response;
  }

  absl::Status refusal;
  absl::Status begin_refusal;
  org::v1::GetDashboardResponse dashboard;
  org::v1::ListSessionsResponse sessions;
  org::v1::SessionInfo last_session;
  std::vector<std::string> opened;
  std::vector<std::string> ended;
  int logos_asked = 0;
};

}  // namespace devicetrust::gateway
