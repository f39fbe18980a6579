#include "simulator/gateway/upstream/org_client.h"

#include "devicetrust/org/v1/authentication.grpc.pb.h"
#include "devicetrust/org/v1/decisions.grpc.pb.h"
#include "libs/rpc/async_call.h"

namespace devicetrust::gateway {
namespace {

// The org itself waits up to 2 s for the directory.
constexpr std::chrono::milliseconds kPasswordTimeout{4000};

class GrpcOrgClient final : public OrgClient {
 public:
  explicit GrpcOrgClient(const std::shared_ptr<grpc::Channel>& channel)
      : authentication_(org::v1::AuthenticationService::NewStub(channel)),
        decisions_(org::v1::DecisionService::NewStub(channel)) {}

  Task<absl::StatusOr<org::v1::StartSessionResponse>> StartSession(
      org::v1::StartSessionRequest request) override {
    co_return co_await rpc::AsyncCall(*authentication_->async(),
                                      &org::v1::AuthenticationService::Stub::async::StartSession,
                                      std::move(request), kPasswordTimeout);
  }

  Task<absl::StatusOr<org::v1::StartTicketSessionResponse>> StartTicketSession(
      org::v1::StartTicketSessionRequest request) override {
    co_return co_await rpc::AsyncCall(
        *authentication_->async(), &org::v1::AuthenticationService::Stub::async::StartTicketSession,
        std::move(request), kPasswordTimeout);
  }

  Task<absl::StatusOr<org::v1::EvaluateResponse>> Evaluate(
      org::v1::EvaluateRequest request) override {
    co_return co_await rpc::AsyncCall(
        *decisions_->async(), &org::v1::DecisionService::Stub::async::Evaluate, std::move(request));
  }

  Task<absl::StatusOr<org::v1::CompleteFactorResponse>> CompleteFactor(
      org::v1::CompleteFactorRequest request) override {
    co_return co_await rpc::AsyncCall(*decisions_->async(),
                                      &org::v1::DecisionService::Stub::async::CompleteFactor,
                                      std::move(request));
  }

  Task<absl::StatusOr<org::v1::EndSessionResponse>> EndSession(
      org::v1::EndSessionRequest request) override {
    co_return co_await rpc::AsyncCall(*authentication_->async(),
                                      &org::v1::AuthenticationService::Stub::async::EndSession,
                                      std::move(request));
  }

 private:
  const std::unique_ptr<org::v1::AuthenticationService::Stub> authentication_;
  const std::unique_ptr<org::v1::DecisionService::Stub> decisions_;
};

}  // namespace

std::unique_ptr<OrgClient> NewOrgClient(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<GrpcOrgClient>(channel);
}

}  // namespace devicetrust::gateway
